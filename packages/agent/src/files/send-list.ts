import type { ServerResponse } from 'node:http';
import type { ListRequest } from '@sprites/contract/files';
import type { FileThread } from './file-thread.ts';
import { writeAll } from './write-all.ts';

/** Answers with a listing as it is read; however long it is, little of it is in memory. */
export async function sendList(
  files: FileThread,
  response: ServerResponse,
  request: ListRequest,
): Promise<void> {
  let count = 0;
  for await (const piece of files.run('list', request)) {
    if (count === 0) begin(response, request.path);
    if (!(await writeAll(response, count === 0 ? piece.text : `,${piece.text}`))) return;
    count += piece.count;
  }
  if (count === 0) begin(response, request.path);
  response.end(`],"count":${count}}`);
}

function begin(response: ServerResponse, path: string): void {
  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.write(`{"path":${JSON.stringify(path)},"entries":[`);
}
