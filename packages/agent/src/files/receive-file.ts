import { write } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { FileError, type FileFields, isFileErrorCode, parseWrite } from '@sprites/contract/files';
import { sendJson } from '../http/answer.ts';
import type { Call } from '../http/resource.ts';
import type { FileThread } from './file-thread.ts';

const writeBytes = promisify(write);

/** Writes the body to a file, which has its new content only when all of it has come. */
export async function receiveFile(files: FileThread, call: Call, fields: FileFields): Promise<void> {
  const { request, response } = call;
  const wanted = parseWrite(fields);
  const ticket = await files.call('openWrite', wanted);
  try {
    await receiveBytes(request, { fd: ticket.fd, at: wanted.offset ?? 0, path: wanted.path });
  } catch (error) {
    await files.call('discardWrite', ticket);
    throw error;
  }
  sendJson(response, 200, await files.call('commitWrite', ticket));
}

type Target = { readonly fd: number; readonly at: number; readonly path: string };

async function receiveBytes(request: IncomingMessage, { fd, at, path }: Target): Promise<void> {
  let position = at;
  try {
    for await (const piece of request) {
      const bytes: Buffer = piece;
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await writeBytes(fd, bytes, done, bytes.length - done, position);
        done += bytesWritten;
        position += bytesWritten;
      }
    }
  } catch (error) {
    throw toUploadError(error, path);
  }
  if (!request.complete) throw new FileError('ECANCELED', path, undefined, 'write');
}

function toUploadError(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  if (error.code === 'ECONNRESET') return new FileError('ECANCELED', path, undefined, 'write');
  return isFileErrorCode(error.code) ? new FileError(error.code, path, undefined, 'write') : error;
}
