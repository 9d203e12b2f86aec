import { close, read } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { FileError, type FileFields, parseRead } from '@sprites/contract/files';
import type { Call } from '../http/resource.ts';
import { pickRange } from './byte-range.ts';
import type { FileThread } from './file-thread.ts';
import { writeAll } from './write-all.ts';

const bufferBytes = 256 * 1024;
const readBytes = promisify(read);
const closeFd = promisify(close);

/** Answers with the bytes of a file, all or a range of them. */
export async function sendFile(files: FileThread, call: Call, fields: FileFields): Promise<void> {
  const { request, response } = call;
  const wanted = parseRead(fields);
  const file = await files.call('openRead', wanted);
  try {
    const isSame = request.headers['if-range'] === undefined || request.headers['if-range'] === file.tag;
    const range = pickRange(wanted, isSame ? request.headers.range : undefined, file.size);
    response.setHeader('Content-Type', 'application/octet-stream');
    response.setHeader('Accept-Ranges', 'bytes');
    response.setHeader('ETag', file.tag);
    response.setHeader('Last-Modified', new Date(file.modTimeMs).toUTCString());
    if (range === 'unsatisfiable') {
      response.setHeader('Content-Range', `bytes */${file.size}`);
      throw new FileError('ERANGE', wanted.path, `it has ${file.size} bytes only`);
    }
    const { start, end } = range ?? { start: 0, end: file.size - 1 };
    if (range !== undefined) response.setHeader('Content-Range', `bytes ${start}-${end}/${file.size}`);
    // The size of a file the kernel makes up is not known, so its answer ends where the file does.
    const length = file.size === 0 ? undefined : end + 1 - start;
    if (length !== undefined) response.setHeader('Content-Length', length);
    response.writeHead(range === undefined ? 200 : 206);
    if (request.method === 'HEAD') response.end();
    else await sendBytes(file.fd, response, { start, length });
  } finally {
    await closeFd(file.fd);
  }
}

type Span = { readonly start: number; readonly length: number | undefined };

/** Sends bytes by two buffers in turn: one is filled while the other leaves. */
async function sendBytes(fd: number, response: ServerResponse, { start, length }: Span): Promise<void> {
  let [buffer, other] = [Buffer.allocUnsafeSlow(bufferBytes), Buffer.allocUnsafeSlow(bufferBytes)];
  let leaving: Promise<boolean> = Promise.resolve(true);
  let left = length ?? Number.POSITIVE_INFINITY;
  for (let at = start; left > 0; ) {
    const { bytesRead } = await readBytes(fd, buffer, 0, Math.min(bufferBytes, left), at);
    if (!(await leaving)) return;
    if (bytesRead === 0) break;
    leaving = writeAll(response, buffer.subarray(0, bytesRead));
    at += bytesRead;
    left -= bytesRead;
    [buffer, other] = [other, buffer];
  }
  await leaving;
  // A file that became shorter meanwhile is not what was promised; cutting the answer is the way to say so.
  if (length !== undefined && left > 0) response.destroy();
  else response.end();
}
