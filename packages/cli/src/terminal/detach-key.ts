/** Ctrl+\ as terminals send it: the control byte, and the sequences of the two extended keyboard protocols. */
const keys = ['\x1c', '\x1b[92;5u', '\x1b[92;5:1u', '\x1b[27;5;92~'];

/** Finds the detach key in typed bytes: undefined, or what was typed before it. */
export function beforeDetachKey(chunk: Buffer): Buffer | undefined {
  const positions = keys.map((key) => chunk.indexOf(key, 0, 'latin1')).filter((position) => position >= 0);
  return positions.length === 0 ? undefined : chunk.subarray(0, Math.min(...positions));
}
