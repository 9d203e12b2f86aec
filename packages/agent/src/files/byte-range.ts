import type { ReadRequest } from '@sprites/contract/files';

/** Bytes `start` to `end`, both included, of a file of `size`. */
export type ByteRange = { readonly start: number; readonly end: number };

/**
 * What part of a file is wanted: by `start` and `end`, or by a Range header with one range. Undefined is the whole, also
 * for a header that we need not understand; `unsatisfiable` when the file has no byte of it.
 */
export function pickRange(
  request: ReadRequest,
  header: string | undefined,
  size: number,
): ByteRange | 'unsatisfiable' | undefined {
  if (request.start !== undefined || request.end !== undefined) {
    return clamp(request.start ?? 0, request.end ?? size - 1, size);
  }
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.replaceAll(' ', '') ?? '');
  const [, first = '', last = ''] = match ?? [];
  if (first === '' && last === '') return undefined;
  if (first === '')
    return Number(last) === 0 ? 'unsatisfiable' : clamp(Math.max(0, size - Number(last)), size - 1, size);
  if (last !== '' && Number(last) < Number(first)) return undefined;
  return clamp(Number(first), last === '' ? size - 1 : Number(last), size);
}

function clamp(start: number, end: number, size: number): ByteRange | 'unsatisfiable' {
  return start >= size ? 'unsatisfiable' : { start, end: Math.min(end, size - 1) };
}
