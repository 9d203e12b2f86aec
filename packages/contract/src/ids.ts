const crockford = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** What an id names; it is the id's prefix. */
export type IdKind = 'sprite' | 'org' | 'tok' | 'mach' | 'req' | 'ck';

/**
 * Makes a new id: the kind, `_`, and a ULID (48 bits of milliseconds, 80 random bits, Crockford base 32),
 * so that ids sort by creation time. https://github.com/ulid/spec
 */
export function createId(kind: IdKind, nowMs: number): string {
  return `${kind}_${encodeTime(nowMs)}${encodeRandom(16)}`;
}

/** Makes `length` random lower-case letters and digits, each one of 32; fit for a DNS label or a secret. */
export function createRandomText(length: number): string {
  return encodeRandom(length).toLowerCase();
}

function encodeTime(nowMs: number): string {
  let rest = nowMs;
  let text = '';
  for (let i = 0; i < 10; i++) {
    text = crockford.charAt(rest % 32) + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

function encodeRandom(length: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return Array.from(bytes, (byte) => crockford.charAt(byte % 32)).join('');
}
