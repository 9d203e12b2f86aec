import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ChecksumTree, decodeTree, encodeTree, rootOf } from './checksum-tree.ts';

const tree: ChecksumTree = {
  fileBytes: 2 ** 40,
  hashes: new Map([
    [7, Buffer.alloc(32, 7)],
    [3, Buffer.alloc(32, 3)],
  ]),
};

describe('a checksum tree', () => {
  it('is read as it was written, whatever order it was made in', () => {
    const bytes = encodeTree(tree);
    expect(decodeTree(bytes)).toEqual(tree);
    expect(encodeTree({ ...tree, hashes: new Map([...tree.hashes].reverse()) })).toEqual(bytes);
  });

  it('has another root when anything in it changes', () => {
    const bytes = encodeTree(tree);
    const root = rootOf(bytes);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const other = Buffer.from(bytes);
        other.writeUInt8((other[at] ?? 0) ^ flip, at);
        expect(rootOf(other)).not.toBe(root);
      }),
    );
  });

  it('is refused when it is cut off or foreign, and nothing throws', () => {
    const bytes = encodeTree(tree);
    for (let length = 0; length < bytes.length; length++) {
      expect(decodeTree(bytes.subarray(0, length))).toBeUndefined();
    }
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(decodeTree(Buffer.from(bytes))).toBeUndefined();
      }),
    );
  });
});
