import type { NetworkRule } from '@sprites/contract';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultDomains } from './default-domains.ts';
import { compileRules, normalizeName } from './name-judge.ts';

const allow = (domain: string): NetworkRule => ({ domain, action: 'allow' });
const deny = (domain: string): NetworkRule => ({ domain, action: 'deny' });

describe('compileRules', () => {
  it('lets the most specific rule decide, whatever the order', () => {
    const rules = [deny('*'), allow('*.x.test'), deny('*.b.x.test'), allow('a.b.x.test'), deny('c.x.test')];
    for (const list of [rules, rules.toReversed()]) {
      const judge = compileRules(list);
      expect(judge('y.test')).toBe('deny');
      expect(judge('d.x.test')).toBe('allow');
      expect(judge('e.d.x.test')).toBe('allow');
      expect(judge('c.x.test')).toBe('deny');
      expect(judge('z.b.x.test')).toBe('deny');
      expect(judge('a.b.x.test')).toBe('allow');
    }
  });

  it('denies what no rule names, and takes *.x for what is below x only', () => {
    const judge = compileRules([allow('*.x.test')]);
    expect(judge('x.test')).toBe('deny');
    expect(judge('evilx.test')).toBe('deny');
    expect(judge('x.test.evil')).toBe('deny');
    expect(judge('')).toBe('deny');
    expect(compileRules([deny('x.test')])('y.test')).toBe('deny');
    expect(compileRules([allow('*')])('')).toBe('allow');
  });

  it('denies when two rules of a name disagree', () => {
    for (const rules of [
      [allow('x.test'), deny('x.test')],
      [deny('X.test.'), allow('x.test')],
    ]) {
      expect(compileRules(rules)('x.test')).toBe('deny');
    }
  });

  it('includes the defaults, behind what is written out', () => {
    const judge = compileRules([{ include: 'defaults' }, deny('github.com')]);
    expect(judge('www.npmjs.org')).toBe('allow');
    expect(judge('api.github.com')).toBe('allow');
    expect(judge('github.com')).toBe('deny');
    expect(judge('example.com')).toBe('deny');
    for (const name of defaultDomains) expect(() => compileRules([allow(name)]), name).not.toThrow();
  });

  it('reads names in any case, with a final dot and in any script', () => {
    const judge = compileRules([allow('Example.COM.'), allow('*.Bücher.example')]);
    expect(judge('example.com')).toBe('allow');
    expect(judge('www.xn--bcher-kva.example')).toBe('allow');
  });

  it.each([
    '',
    '.',
    '*.',
    '**',
    '*x.test',
    'a.*.test',
    'a..test',
    '-a.test',
    'a-.test',
    'a b.test',
    'a\0.test',
    'ü\0.test',
    'ü/b.test',
    '192.0.2.1',
    '*.2.1',
    '::1',
    'http://x.test',
    'x.test:80',
    `${'a'.repeat(64)}.test`,
    `${'abcdefg.'.repeat(32)}test`,
  ])('refuses %j and says which rule it is', (domain) => {
    expect(() => compileRules([allow('ok.test'), allow(domain)])).toThrow(/^rules\.1: the domain/);
  });

  it('never throws anything but a code, and judges every name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (domain, name) => {
        normalizeName(domain);
        try {
          expect(['allow', 'deny']).toContain(compileRules([allow(domain)])(name));
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_policy' });
        }
      }),
    );
  });
});
