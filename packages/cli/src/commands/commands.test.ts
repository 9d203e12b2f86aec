import { describe, expect, it } from 'vitest';
import { parseUpload } from '../exec/upload.ts';
import { apiPath } from './api.ts';
import { checkId } from './choose-checkpoint.ts';
import { parseEnv } from './exec.ts';

describe('parseEnv', () => {
  it('splits at commas that begin another variable', () => {
    expect(parseEnv(['A=1,B=x,y,C=', 'D=a=b\nc'])).toEqual({ A: '1', B: 'x,y', C: '', D: 'a=b\nc' });
  });

  it.each(['A', '=1', '1A=x', ''])('refuses %j', (list) => {
    expect(() => parseEnv([list])).toThrow('KEY=value');
  });
});

describe('parseUpload', () => {
  it('splits at the last colon and completes directories', () => {
    expect(parseUpload('a/b.txt:/tmp/c')).toEqual({ source: 'a/b.txt', dest: '/tmp/c' });
    expect(parseUpload('C:\\x:/tmp/c')).toEqual({ source: 'C:\\x', dest: '/tmp/c' });
    expect(parseUpload('a/b.txt:/tmp/')).toEqual({ source: 'a/b.txt', dest: '/tmp/b.txt' });
  });

  it.each(['a', ':b', 'a:', ''])('refuses %j', (text) => {
    expect(() => parseUpload(text)).toThrow('source:dest');
  });
});

describe('apiPath', () => {
  it('is relative to the sprite, or to the API, unless it is a full path', () => {
    expect(apiPath('/exec', 'demo')).toBe('/v1/sprites/demo/exec');
    expect(apiPath('sprites', undefined)).toBe('/v1/sprites');
    expect(apiPath('/v1/sprites/other', 'demo')).toBe('/v1/sprites/other');
    expect(apiPath('/x', 'a b/c')).toBe('/v1/sprites/a%20b%2Fc/x');
  });
});

describe('checkId', () => {
  it('lets ids through', () => {
    expect([undefined, 'v1', 'auto-20260720t100000-123', 'Current'].map(checkId)).toEqual([
      undefined,
      'v1',
      'auto-20260720t100000-123',
      'Current',
    ]);
  });

  it.each(['', '..', '../v1', 'v1/restore', '-v', 'v 1'])('refuses %j', (id) => {
    expect(() => checkId(id)).toThrow('not a checkpoint id');
  });
});
