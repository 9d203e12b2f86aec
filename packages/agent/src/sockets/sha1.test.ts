import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { sha1Base64 } from './sha1.ts';

it('is the SHA-1 of the text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme-ascii', maxLength: 200 }), (text) => {
      expect(sha1Base64(text)).toBe(createHash('sha1').update(text).digest('base64'));
    }),
  );
});
