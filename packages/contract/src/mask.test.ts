import fc from 'fast-check';
import { expect, it } from 'vitest';
import { applyMask } from './mask.ts';

it('masks bytes of any length at any place as RFC 6455 says', () => {
  const mask = fc.uint8Array({ minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      mask,
      fc.nat(9),
      fc.nat(9),
      (payload, key, place, offset) => {
        // other bytes around them, at any alignment, stay as they are
        const all = new Uint8Array(place + payload.length + 3).fill(7);
        all.set(payload, place);
        applyMask(all.subarray(place, place + payload.length), key, offset);
        const expected = payload.map((byte, index) => byte ^ (key[(offset + index) % 4] ?? 0));
        expect([...all]).toEqual([...Array(place).fill(7), ...expected, 7, 7, 7]);
      },
    ),
  );
});
