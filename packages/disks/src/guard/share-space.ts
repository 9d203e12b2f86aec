/** What a disk may grow by now, and could at most. */
export type Claim = { readonly growBytes: number; readonly freeBytes: number };

/**
 * Shares `spareBytes` among disks: what each may grow by, in the order of the claims, never more than `spareBytes`
 * together. Who has most gives first and who has least gets first, so a disk that used up its share takes nothing of
 * what the others were left.
 */
export function shareSpace(spareBytes: number, claims: readonly Claim[]): readonly number[] {
  const spare = Math.max(0, spareBytes);
  const now = claims.map(({ growBytes, freeBytes }) => Math.max(0, Math.min(growBytes, freeBytes)));
  if (sum(now) > spare) {
    const level = findLevel(now, spare);
    return now.map((bytes) => Math.min(bytes, level));
  }
  return raise(spare, claims, now);
}

/** The level L at which the parts up to L of all values add up to `total`, which is less than their sum. */
function findLevel(values: readonly number[], total: number): number {
  let left = total;
  const ascending = [...values].sort((a, b) => a - b);
  for (const [index, value] of ascending.entries()) {
    const share = Math.floor(left / (ascending.length - index));
    if (value >= share) return share;
    left -= value;
  }
  return 0;
}

/** Raises the least to a common level that uses up `spare`; nobody gets more than is free. */
function raise(spare: number, claims: readonly Claim[], now: readonly number[]): readonly number[] {
  const room = sum(claims.map(({ freeBytes }) => freeBytes));
  if (room <= spare) return claims.map(({ freeBytes }) => freeBytes);
  let low = 0;
  let high = spare;
  const at = (level: number): readonly number[] =>
    claims.map(({ freeBytes }, index) => Math.max(now[index] ?? 0, Math.min(level, freeBytes)));
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (sum(at(middle)) <= spare) low = middle;
    else high = middle;
  }
  return at(low);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
