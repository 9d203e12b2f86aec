import { type DiffLine, DiffLine as Line, type FileFacts as WireFacts } from '@sprites/contract';
import { APIError, ConnectionError } from '../errors.ts';
import type { DiffTotals, FileFacts, PathChange } from '../options.ts';
import { NDJSONStream } from './ndjson-stream.ts';

type WireChange = Extract<DiffLine, { type: 'change' }>;
type WireTotals = NonNullable<Extract<DiffLine, { type: 'complete' }>['totals']>;

/** Lines of a comparison up to `complete`; `error`, or an end without either, is thrown. */
async function* readLines(response: Response): AsyncGenerator<DiffLine> {
  const requestId = response.headers.get('x-request-id') ?? undefined;
  for await (const line of new NDJSONStream(response, Line, (value) => value)) {
    if (line.type === 'error') throw new APIError(line.error, { errorCode: line.code, requestId });
    yield line;
    if (line.type === 'complete') return;
  }
  throw new ConnectionError('closed', 'the stream ended before the comparison did');
}

/** What `diff` returns: the changes with `for await`, each directory before what is in it. Leaving the loop ends the request. */
export class DiffStream implements AsyncIterable<PathChange> {
  readonly #lines: AsyncGenerator<DiffLine>;
  #totals: DiffTotals | undefined;

  constructor(response: Response) {
    this.#lines = readLines(response);
  }

  /** How much differs; known once all changes have been read. */
  get totals(): DiffTotals | undefined {
    return this.#totals;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<PathChange, void, undefined> {
    for await (const line of this.#lines) {
      if (line.type === 'change') yield toPathChange(line);
      if (line.type === 'complete' && line.totals !== undefined) this.#totals = toTotals(line.totals);
    }
  }

  /** All changes at once. */
  async all(): Promise<PathChange[]> {
    return Array.fromAsync(this);
  }
}

/** The text of a patch that was sent in pieces. */
export async function readPatch(response: Response): Promise<string> {
  let text = '';
  for await (const line of readLines(response)) if (line.type === 'patch') text += line.data;
  return text;
}

function toPathChange({ change, path, path_base64: base64, before, after }: WireChange): PathChange {
  return {
    change,
    path,
    ...(base64 === undefined ? {} : { pathBytes: Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)) }),
    ...(before === undefined ? {} : { before: toFacts(before) }),
    ...(after === undefined ? {} : { after: toFacts(after) }),
  };
}

function toFacts({ mtime, target, ...facts }: WireFacts): FileFacts {
  return { ...facts, mtime: new Date(mtime), ...(target === undefined ? {} : { target }) };
}

function toTotals({ bytes_before: bytesBefore, bytes_after: bytesAfter, ...counts }: WireTotals): DiffTotals {
  return { ...counts, bytesBefore, bytesAfter };
}
