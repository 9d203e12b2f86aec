import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import path from 'node:path';

/**
 * A program: `node git-server.ts <folder> <address>` serves the repositories in `<folder>` over HTTPS with git's own
 * program, and `/hello`. The folder holds `server.pem` and `server.key`. It prints a line when it listens.
 */
const [folder = '', address = ''] = process.argv.slice(2);
const headBytes = 64 * 1024;

const server = createServer(
  { cert: readFileSync(path.join(folder, 'server.pem')), key: readFileSync(path.join(folder, 'server.key')) },
  (request, response) => {
    if (request.url === '/hello') response.end('hello');
    else runBackend(request, response);
  },
);
server.listen(443, address, () => console.log('listening'));

/** Runs `git http-backend` as a CGI program. */
function runBackend(request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', `https://${address}`);
  const child = spawn('git', ['http-backend'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_PROTOCOL: request.headers['git-protocol']?.toString(),
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'],
      CONTENT_LENGTH: request.headers['content-length'],
      HTTP_CONTENT_ENCODING: request.headers['content-encoding']?.toString(),
    },
  });
  child.once('error', () => response.destroy());
  // It may answer before it has read all of the request.
  child.stdin.on('error', () => undefined);
  request.pipe(child.stdin);
  let head = Buffer.alloc(0);
  const readHead = (bytes: Buffer): void => {
    head = Buffer.concat([head, bytes]);
    const end = head.indexOf('\r\n\r\n');
    if (end === -1 && head.length < headBytes) return;
    child.stdout.off('data', readHead);
    writeHead(response, head.subarray(0, end).toString());
    response.write(head.subarray(end + 4));
    child.stdout.pipe(response);
  };
  child.stdout.on('data', readHead);
  child.stdout.once('end', () => response.end());
}

function writeHead(response: ServerResponse, head: string): void {
  for (const line of head.split('\r\n')) {
    const [name = '', value = ''] = line.split(/:\s*/, 2);
    if (name.toLowerCase() === 'status') response.statusCode = Number.parseInt(value, 10);
    else response.setHeader(name, value);
  }
}
