import { headerBytes, type Query, recordType } from './message.ts';

/** An address that an answer gives for a name. */
export type AddressRecord = { readonly address: string; readonly ttlS: number };

type AnswerRecord = {
  readonly owner: string;
  readonly type: number;
  readonly ttlS: number;
  readonly dataStart: number;
  readonly dataEnd: number;
};

/** most records of one answer that are looked at, and most jumps within one name */
const maxRecords = 1024;
const maxJumps = 64;
const maxChain = 32;

/**
 * The IPv4 addresses that an answer gives for the name of its query, directly or by a chain of aliases; records about other
 * names, which a forger or a careless server may add, do not count. Undefined when the answer is malformed. Never throws.
 */
export function readAddresses(query: Query, bytes: Uint8Array): readonly AddressRecord[] | undefined {
  const records = readRecords(bytes);
  if (records === undefined) return undefined;
  const names = new Set([query.name]);
  for (let length = 0; length < maxChain; length += 1) {
    const before = names.size;
    for (const record of records) {
      if (record.type !== recordType.cname || !names.has(record.owner)) continue;
      const target = readName(bytes, record.dataStart);
      if (target === undefined) return undefined;
      names.add(target.name);
    }
    if (names.size === before) break;
  }
  return records.flatMap((record) => {
    if (record.type !== recordType.a || !names.has(record.owner)) return [];
    const data = bytes.subarray(record.dataStart, record.dataEnd);
    return data.length === 4 ? [{ address: data.join('.'), ttlS: record.ttlS }] : [];
  });
}

function readRecords(bytes: Uint8Array): readonly AnswerRecord[] | undefined {
  if (bytes.length < headerBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = Math.min(view.getUint16(6), maxRecords);
  const records: AnswerRecord[] = [];
  let offset = headerBytes;
  for (let index = 0; index < view.getUint16(4); index += 1) {
    const question = readName(bytes, offset);
    if (question === undefined) return undefined;
    offset = question.end + 4;
  }
  for (let index = 0; index < count; index += 1) {
    const owner = readName(bytes, offset);
    if (owner === undefined || owner.end + 10 > bytes.length) return undefined;
    const dataStart = owner.end + 10;
    const dataEnd = dataStart + view.getUint16(owner.end + 8);
    if (dataEnd > bytes.length) return undefined;
    const ttl = view.getUint32(owner.end + 4);
    // a time with the highest bit set counts as none; RFC 2181 section 8
    const ttlS = ttl > 0x7fff_ffff ? 0 : ttl;
    // the class is not looked at: the answer fits a query, and only the internet has addresses of four bytes
    records.push({ owner: owner.name, type: view.getUint16(owner.end), ttlS, dataStart, dataEnd });
    offset = dataEnd;
  }
  return records;
}

/** A name with its compression undone, in lower case, and the offset behind it. */
function readName(
  bytes: Uint8Array,
  start: number,
): { readonly name: string; readonly end: number } | undefined {
  const labels: string[] = [];
  let offset = start;
  let end: number | undefined;
  let jumps = 0;
  let length = 0;
  for (;;) {
    const size = bytes[offset];
    if (size === undefined) return undefined;
    if (size >= 0xc0) {
      const low = bytes[offset + 1];
      jumps += 1;
      if (low === undefined || jumps > maxJumps) return undefined;
      end ??= offset + 2;
      offset = (size & 0x3f) * 256 + low;
      continue;
    }
    length += size + 1;
    if (size > 63 || length > 255 || offset + 1 + size > bytes.length) return undefined;
    if (size === 0) return { name: labels.join('.'), end: end ?? offset + 1 };
    const label = bytes.subarray(offset + 1, offset + 1 + size);
    labels.push(Buffer.from(label).toString('latin1').toLowerCase());
    offset += 1 + size;
  }
}
