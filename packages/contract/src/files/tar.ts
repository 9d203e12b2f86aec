/** An entry of an archive. Paths and targets are bytes, since names need not be UTF-8. */
export type TarEntry = {
  readonly type: 'file' | 'directory' | 'symlink';
  /** relative, parts separated by `/` */
  readonly path: Uint8Array;
  readonly mode: number;
  /** bytes that follow; 0 for all but files */
  readonly size: number;
  /** in whole `s` since 1970 */
  readonly modTime: number;
  /** where a symlink points */
  readonly target?: Uint8Array;
};

export const tarBlockBytes = 512;
const largestOctalSize = 0o77777777777;
const longestField = 100;
const typeFlags = { file: '0', directory: '5', symlink: '2' } as const;
const extendedFlag = 'x';
const globalFlag = 'g';
const encoder = new TextEncoder();

/** The header of an entry, POSIX.1-2001 (pax), with an extended one before it for what does not fit. */
export function formatTarHeader(entry: TarEntry): Uint8Array {
  const records: Uint8Array[] = [];
  if (entry.path.length > longestField) records.push(formatRecord('path', entry.path));
  if (entry.target !== undefined && entry.target.length > longestField) {
    records.push(formatRecord('linkpath', entry.target));
  }
  if (entry.size > largestOctalSize) records.push(formatRecord('size', encoder.encode(String(entry.size))));
  const own = formatBlock(typeFlags[entry.type], entry);
  return records.length === 0 ? own : concat([formatExtended(extendedFlag, records), own]);
}

/** What stands at the end of an archive; `comment` is for whoever reads it, such as a checksum of all before. */
export function formatTarEnd(comment?: string): Uint8Array {
  const end = new Uint8Array(2 * tarBlockBytes);
  if (comment === undefined) return end;
  return concat([formatExtended(globalFlag, [formatRecord('comment', encoder.encode(comment))]), end]);
}

/** The zeros that follow a file of this size. */
export function tarPadding(size: number): Uint8Array {
  return new Uint8Array((tarBlockBytes - (size % tarBlockBytes)) % tarBlockBytes);
}

function formatExtended(flag: string, records: readonly Uint8Array[]): Uint8Array {
  const content = concat(records);
  const path = encoder.encode('pax');
  const header = formatBlock(flag, { path, mode: 0o644, size: content.length, modTime: 0 });
  return concat([header, content, tarPadding(content.length)]);
}

type BlockFields = Pick<TarEntry, 'path' | 'mode' | 'size' | 'modTime'> & { readonly target?: Uint8Array };

function formatBlock(flag: string, { path, mode, size, modTime, target }: BlockFields): Uint8Array {
  const block = new Uint8Array(tarBlockBytes);
  block.set(path.subarray(0, longestField), 0);
  block.set(formatOctal(mode & 0o7777, 7), 100);
  block.set(formatOctal(0, 7), 108);
  block.set(formatOctal(0, 7), 116);
  block.set(formatOctal(size > largestOctalSize ? 0 : size, 11), 124);
  block.set(formatOctal(Math.min(Math.max(Math.floor(modTime), 0), largestOctalSize), 11), 136);
  block.set(encoder.encode(flag), 156);
  if (target !== undefined) block.set(target.subarray(0, longestField), 157);
  block.set(encoder.encode('ustar\x0000'), 257);
  block.set(formatOctal(tarChecksum(block), 6), 148);
  block.set([0, 0x20], 154);
  return block;
}

/** The sum of a header's bytes, its own checksum field counted as spaces. */
export function tarChecksum(block: Uint8Array): number {
  let sum = 8 * 0x20;
  for (let i = 0; i < tarBlockBytes; i++) if (i < 148 || i >= 156) sum += block[i] ?? 0;
  return sum;
}

function formatOctal(value: number, digits: number): Uint8Array {
  return encoder.encode(value.toString(8).padStart(digits, '0'));
}

/** `length key=value\n`, where the length counts itself. */
function formatRecord(key: string, value: Uint8Array): Uint8Array {
  const rest = encoder.encode(` ${key}=`).length + value.length + 1;
  let length = rest + String(rest).length;
  if (rest + String(length).length > length) length++;
  return concat([encoder.encode(`${length} ${key}=`), value, Uint8Array.of(0x0a)]);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
