/** The parts of a DNS message that a forwarder needs; everything else passes through as it came. RFC 1035 section 4. */

export const headerBytes = 12;

/** most bytes of a query; answers may be larger */
export const queryLimitBytes = 4096;

export const responseCode = { formatError: 1, serverFailure: 2, notImplemented: 4, refused: 5 } as const;

export const recordType = { a: 1, cname: 5, aaaa: 28, svcb: 64, https: 65 } as const;

/** A query for one name. */
export type Query = {
  readonly type: 'query';
  readonly bytes: Uint8Array;
  readonly id: number;
  /** lower-case labels joined by dots, bytes as latin1; empty for the root */
  readonly name: string;
  /** true when the labels are made of letters, digits, hyphens and underscores, so that the dots are between labels */
  readonly isPlain: boolean;
  readonly recordType: number;
  /** offset behind the question */
  readonly questionEnd: number;
};

/** `refuse`: to be answered with that code; `ignore`: to be answered not at all. */
export type ParsedQuery =
  | Query
  | { readonly type: 'refuse'; readonly bytes: Uint8Array; readonly code: number }
  | { readonly type: 'ignore' };

/** Reads a message from a client. Never throws, whatever the bytes. */
export function parseQuery(bytes: Uint8Array): ParsedQuery {
  if (bytes.length < headerBytes || bytes.length > queryLimitBytes || isAnswer(bytes))
    return { type: 'ignore' };
  const opcode = (byteAt(bytes, 2) >> 3) & 15;
  if (opcode !== 0) return { type: 'refuse', bytes, code: responseCode.notImplemented };
  const question = wordAt(bytes, 4) === 1 ? readQuestion(bytes) : undefined;
  if (question === undefined) return { type: 'refuse', bytes, code: responseCode.formatError };
  return { type: 'query', bytes, id: wordAt(bytes, 0), ...question };
}

/** Whether the bytes answer this query, which was sent with `id`. */
export function isAnswerTo(query: Query, id: number, bytes: Uint8Array): boolean {
  if (bytes.length < headerBytes || !isAnswer(bytes) || wordAt(bytes, 0) !== id) return false;
  // Some servers leave the question out when they refuse it.
  if (wordAt(bytes, 4) === 0) return codeOf(bytes) !== 0;
  const question = wordAt(bytes, 4) === 1 ? readQuestion(bytes) : undefined;
  return question?.name === query.name && question.recordType === query.recordType;
}

/** The same message under another id. */
export function withId(bytes: Uint8Array, id: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[0] = id >> 8;
  copy[1] = id & 255;
  return copy;
}

/** The response code of an answer. */
export function codeOf(bytes: Uint8Array): number {
  return byteAt(bytes, 3) & 15;
}

/** An answer without records: the name exists (or the code says why not), but there is nothing of that type. */
export function emptyAnswer(query: Query, code = 0): Uint8Array {
  return answer(query.bytes, query.questionEnd, code);
}

/** An answer to a message whose question could not be read. */
export function refusal(bytes: Uint8Array, code: number): Uint8Array {
  return answer(bytes, headerBytes, code);
}

function answer(bytes: Uint8Array, end: number, code: number): Uint8Array {
  const copy = Uint8Array.from(bytes.subarray(0, end));
  // Answer bit set, opcode and recursion-desired as asked, recursion available.
  copy[2] = 0x80 | (byteAt(bytes, 2) & 0x79);
  copy[3] = 0x80 | code;
  copy.fill(0, 4, headerBytes);
  copy[5] = end > headerBytes ? 1 : 0;
  return copy;
}

function readQuestion(
  bytes: Uint8Array,
): Pick<Query, 'name' | 'isPlain' | 'recordType' | 'questionEnd'> | undefined {
  const labels: string[] = [];
  let offset = headerBytes;
  for (;;) {
    const length = bytes[offset];
    // Longer than 63 would be a compression pointer, which has nothing to point at in a first question.
    if (length === undefined || length > 63 || offset - headerBytes + length > 254) return undefined;
    offset += 1;
    if (length === 0) break;
    labels.push(
      Buffer.from(bytes.subarray(offset, offset + length))
        .toString('latin1')
        .toLowerCase(),
    );
    offset += length;
  }
  const questionEnd = offset + 4;
  if (questionEnd > bytes.length) return undefined;
  const isPlain = labels.every((label) => /^[a-z0-9_-]+$/.test(label));
  return { name: labels.join('.'), isPlain, recordType: wordAt(bytes, offset), questionEnd };
}

function isAnswer(bytes: Uint8Array): boolean {
  return (byteAt(bytes, 2) & 0x80) !== 0;
}

function byteAt(bytes: Uint8Array, offset: number): number {
  return bytes[offset] ?? 0;
}

function wordAt(bytes: Uint8Array, offset: number): number {
  return byteAt(bytes, offset) * 256 + byteAt(bytes, offset + 1);
}
