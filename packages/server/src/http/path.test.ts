import { describe, expect, it } from 'vitest';
import { matchPath, parseTarget } from './path.ts';

describe('parseTarget', () => {
  it('decodes each segment after splitting', () => {
    expect(parseTarget('/v1/sprites/demo%20space%2Fslash/exec?cmd=a/b')).toEqual({
      segments: ['v1', 'sprites', 'demo space/slash', 'exec'],
      search: '?cmd=a/b',
    });
  });

  it('refuses broken percent-encoding with a code', () => {
    expect(() => parseTarget('/v1/%zz')).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  });
});

describe('matchPath', () => {
  it('returns the parameters of a match and nothing else', () => {
    expect(matchPath('/v1/sprites/{name}/exec', ['v1', 'sprites', 'a/b', 'exec'])).toEqual({ name: 'a/b' });
    expect(matchPath('/v1/sprites/{name}/exec', ['v1', 'sprites', 'a'])).toBeUndefined();
    expect(matchPath('/v1/sprites/{name}', ['v1', 'other', 'a'])).toBeUndefined();
  });
});
