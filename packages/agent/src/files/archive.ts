import { FileError, type FileFields, parseArchive } from '@sprites/contract/files';
import { sendJson } from '../http/answer.ts';
import type { Call } from '../http/resource.ts';
import type { FileThread } from './file-thread.ts';
import { writeAll } from './write-all.ts';

/** Answers with a directory as a tar archive, made as it is sent. */
export async function sendArchive(files: FileThread, { response }: Call, fields: FileFields): Promise<void> {
  for await (const piece of files.run('pack', parseArchive(fields))) {
    if (!response.headersSent) response.writeHead(200, { 'Content-Type': 'application/x-tar' });
    if (!(await writeAll(response, Buffer.from(piece.buffer, piece.byteOffset, piece.length)))) return;
  }
  response.end();
}

/** Unpacks the body as it comes. What was unpacked before a failure stays, whole files only. */
export async function receiveArchive(files: FileThread, call: Call, fields: FileFields): Promise<void> {
  const { request, response } = call;
  const wanted = parseArchive(fields);
  const job = files.run('unpack', wanted);
  try {
    await job.next();
    for await (const chunk of request) await job.next(chunk);
    if (!request.complete) throw new FileError('ECANCELED', wanted.path, undefined, 'unpack');
    const { value } = await job.next();
    sendJson(response, 200, value ?? {});
  } finally {
    await job.return();
  }
}
