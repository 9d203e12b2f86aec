/**
 * The SHA-1 of a short ASCII text in base 64, for the WebSocket handshake, where it proves nothing but that we
 * understood. Node's crypto module would cost each sprite 1.4 MB for it. RFC 3174.
 */
export function sha1Base64(text: string): string {
  const message = pad(Buffer.from(text, 'latin1'));
  const state = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];
  for (let at = 0; at < message.length; at += 64) addBlock(state, message, at);
  const digest = Buffer.alloc(20);
  state.forEach((word, index) => {
    digest.writeUInt32BE(word >>> 0, index * 4);
  });
  return digest.toString('base64');
}

function pad(text: Buffer): Buffer {
  const padded = Buffer.alloc(Math.ceil((text.length + 9) / 64) * 64);
  text.copy(padded);
  padded[text.length] = 0x80;
  padded.writeUInt32BE(text.length * 8, padded.length - 4);
  return padded;
}

function addBlock(state: number[], message: Buffer, at: number): void {
  const words = Array.from({ length: 80 }, (_, index) =>
    index < 16 ? message.readInt32BE(at + index * 4) : 0,
  );
  for (let i = 16; i < 80; i++) {
    words[i] = rotate(word(words, i - 3) ^ word(words, i - 8) ^ word(words, i - 14) ^ word(words, i - 16), 1);
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0] = state;
  for (let i = 0; i < 80; i++) {
    const next = (rotate(a, 5) + mix(i, b, c, d) + e + word(words, i)) | 0;
    [a, b, c, d, e] = [next, a, rotate(b, 30), c, d];
  }
  for (const [index, value] of [a, b, c, d, e].entries()) state[index] = (word(state, index) + value) | 0;
}

function mix(round: number, b: number, c: number, d: number): number {
  if (round < 20) return ((b & c) | (~b & d)) + 0x5a827999;
  if (round < 40) return (b ^ c ^ d) + 0x6ed9eba1;
  if (round < 60) return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
  return (b ^ c ^ d) + 0xca62c1d6;
}

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}

function word(words: readonly number[], index: number): number {
  return words[index] ?? 0;
}
