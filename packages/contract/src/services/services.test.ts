import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SpriteError } from '../errors.ts';
import { parseTaskRequest } from '../tasks/index.ts';
import { parseServiceDefinition, parseServiceFlags, parseServiceName, startOrder } from './index.ts';

describe('parseServiceDefinition', () => {
  it('takes absent and null for the same, and both spellings of the port', () => {
    const empty = { cmd: 'x', args: [], env: {}, needs: [] };
    expect(parseServiceDefinition('a', { cmd: 'x' })).toEqual(empty);
    const nulls = { cmd: 'x', args: null, env: null, needs: null, dir: null, http_port: null, user: null };
    expect(parseServiceDefinition('a', nulls)).toEqual(empty);
    expect(parseServiceDefinition('a', { cmd: 'x', httpPort: 80 }).http_port).toBe(80);
    expect(parseServiceDefinition('a', { name: 'a', cmd: 'x', needs: ['b', 'b'] }).needs).toEqual(['b']);
  });

  it('is the inverse of JSON', () => {
    const definition = {
      cmd: 'x',
      args: ['', ' '],
      env: { A: '' },
      needs: ['b'],
      dir: '/',
      http_port: 1,
      user: 'root',
    };
    expect(parseServiceDefinition('a', JSON.parse(JSON.stringify(definition)))).toEqual(definition);
  });

  it('never throws anything but a code', () => {
    const field = fc.constantFrom(
      'cmd',
      'args',
      'env',
      'needs',
      'dir',
      'http_port',
      'user',
      'name',
      '__proto__',
    );
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.dictionary(field, fc.jsonValue())), (value) => {
        try {
          parseServiceDefinition('a', value);
        } catch (error) {
          expect(error).toBeInstanceOf(SpriteError);
        }
      }),
    );
  });

  it('has no variable from a prototype', () => {
    const value = JSON.parse('{"cmd":"x","env":{"__proto__":"y"}}');
    expect(Object.keys(parseServiceDefinition('a', value).env)).toEqual(['__proto__']);
  });
});

describe('parseServiceName', () => {
  it.each(['web', 'Web-2', 'a.b_c', '0', 'x'.repeat(63)])('takes %s', (name) => {
    expect(parseServiceName(name)).toBe(name);
  });

  it.each(['', '.', '..', '.a', '-a', 'a/b', 'a b', 'a\n', 'é', 'signal', 'x'.repeat(64), 7, null])(
    'refuses %j',
    (name) => {
      expect(() => parseServiceName(name)).toThrow('bad name');
    },
  );
});

describe('startOrder', () => {
  it('puts each service behind everything it needs', () => {
    const graph = fc.array(fc.array(fc.nat(30), { maxLength: 4 }), { maxLength: 30 });
    fc.assert(
      fc.property(graph, (lists) => {
        // needs of smaller numbers only: no circles
        const needs = new Map(lists.map((list, i) => [`${i}`, list.filter((n) => n < i).map(String)]));
        for (const name of needs.keys()) {
          const order = startOrder(needs, name);
          expect(order.at(-1)).toBe(name);
          for (const one of order) {
            for (const need of needs.get(one) ?? [])
              expect(order.indexOf(need)).toBeLessThan(order.indexOf(one));
          }
        }
      }),
    );
  });

  it('names a circle, however deep', () => {
    const needs = new Map([
      ['a', ['b']],
      ['b', ['c']],
      ['c', ['d', 'b']],
      ['d', []],
    ]);
    expect(() => startOrder(needs, 'a')).toThrow('b → c → b');
    expect(startOrder(needs, 'd')).toEqual(['d']);
  });
});

describe('parseServiceFlags', () => {
  it('puts a service together', () => {
    const flags = { args: ['a,b', 'c'], env: ['A=1,B=x,y', 'C='], needs: ['db,cache'], httpPort: '80' };
    expect(parseServiceFlags('web', { cmd: 'node', ...flags }, [])).toEqual({
      cmd: 'node',
      args: ['a', 'b', 'c'],
      env: { A: '1', B: 'x,y', C: '' },
      needs: ['db', 'cache'],
      http_port: 80,
    });
    expect(parseServiceFlags('web', {}, ['sh', '-c', 'a,b'])).toMatchObject({
      cmd: 'sh',
      args: ['-c', 'a,b'],
    });
  });

  it.each([
    [{}, [], 'cmd is missing'],
    [{ cmd: 'a' }, ['b'], 'not both'],
    [{ cmd: 'a', env: ['A'] }, [], 'KEY=value'],
    [{ cmd: 'a', httpPort: 'http' }, [], 'from 1 to 65535'],
  ])('refuses %j %j', (flags, words, reason) => {
    expect(() => parseServiceFlags('web', flags, words)).toThrow(reason);
  });
});

describe('parseTaskRequest', () => {
  it.each([
    [60, 60_000],
    ['60', 60_000],
    ['30m', 1_800_000],
    ['1h', 3_600_000],
    [3600, 3_600_000],
    ['59m60s', 3_600_000],
    ['1.5s', 1500],
  ])('reads expire %j', (expire, expireMs) => {
    expect(parseTaskRequest({ name: 'a', expire })).toEqual({ name: 'a', expireMs });
  });

  it.each([undefined, null, 0, -1, 1.5, '0', '', 'soon', '-5m', 3601, '2h', '61m', [], {}, true, Number.NaN])(
    'refuses expire %j',
    (expire) => {
      expect(() => parseTaskRequest({ expire })).toThrow('bad expire');
    },
  );

  it.each([[null], ['x'], [[]], [7]])('refuses %j for a body', (body) => {
    expect(() => parseTaskRequest(body)).toThrow('json object');
  });

  it.each(['', 'a\nb', 'x'.repeat(129), 7])('refuses the name %j', (name) => {
    expect(() => parseTaskRequest({ name, expire: 1 })).toThrow('bad name');
  });
});
