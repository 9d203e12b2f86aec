import { once } from 'node:events';
import { mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AgentProcess, startAgent } from '../testing/agent-process.ts';
import { httpRequest } from '../testing/http-request.ts';

let agent: AgentProcess;
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp('/var/tmp/sprites-long-');
  agent = await startAgent({ args: ['--file-idle-ms', '1'] });
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

async function countThreads(): Promise<number> {
  return (await readdir(`/proc/${agent.pid}/task`)).length;
}

function begin(method: string, what: string, path: string): ClientRequest {
  const search = new URLSearchParams({ path: join(dir, path) });
  return request({ socketPath: agent.socketPath, method, path: `/v1/fs/${what}?${search}` });
}

/** Starts something that uses files, and waits until the thread for them has come and gone. */
async function outlastThread(use: () => Promise<unknown>): Promise<void> {
  const before = await countThreads();
  await use();
  await expect.poll(countThreads).toBeLessThanOrEqual(before);
}

describe('a transfer that takes longer than the thread for files is kept', () => {
  beforeEach(async () => {
    // the threads that reading takes have started then, and stay
    await writeFile(join(dir, 'warm'), 'x');
    await httpRequest(agent.socketPath, { path: `/v1/fs/read?path=${dir}/warm` });
  });

  it('brings all bytes into a file', async () => {
    const upload = begin('PUT', 'write', 'in');
    const answered = once(upload, 'response');
    await outlastThread(async () => {
      upload.write('first ');
      await expect.poll(async () => (await agentFiles()).some((file) => file.startsWith(dir))).toBe(true);
    });
    // a descriptor that was closed would be this one now
    await outlastThread(() => httpRequest(agent.socketPath, { path: `/v1/fs/read?path=${dir}/warm` }));
    upload.end('second');
    const [answer]: IncomingMessage[] = await answered;
    answer?.resume();
    expect(answer?.statusCode).toBe(200);
    expect(await readFile(join(dir, 'in'), 'utf8')).toBe('first second');
    expect((await agentFiles()).filter((file) => file.startsWith(dir))).toEqual([]);
  });

  it('brings all bytes out of a file', async () => {
    const content = Buffer.alloc(32 * 1024 * 1024, 'all of it ');
    await writeFile(join(dir, 'out'), content);
    const download = begin('GET', 'read', 'out');
    const answered = once(download, 'response');
    download.end();
    const [answer]: IncomingMessage[] = await answered;
    await outlastThread(() => httpRequest(agent.socketPath, { path: `/v1/fs/read?path=${dir}/warm` }));
    const got: Buffer[] = [];
    for await (const chunk of answer ?? []) got.push(chunk);
    expect(Buffer.concat(got).equals(content)).toBe(true);
  });
});

/** What the agent has open. */
async function agentFiles(): Promise<readonly string[]> {
  const folder = `/proc/${agent.pid}/fd`;
  return await Promise.all(
    (await readdir(folder)).map((fd) => readlink(join(folder, fd)).catch(() => 'closed')),
  );
}
