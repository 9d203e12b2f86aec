import { once } from 'node:events';
import { streamIds } from '@sprites/contract/exec';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, startAgent } from './testing/agent-process.ts';
import { ExecConnection } from './testing/exec-connection.ts';
import { httpRequest } from './testing/http-request.ts';

let agent: AgentProcess;
beforeAll(async () => {
  agent = await startAgent({ args: ['--session-log-bytes', String(1024 * 1024)] });
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
});

async function start(script: string, fields: Readonly<Record<string, string>> = {}): Promise<ExecConnection> {
  const query = new URLSearchParams({ stdin: 'true', ...fields });
  for (const arg of ['sh', '-c', script]) query.append('cmd', arg);
  return await ExecConnection.open(agent.socketPath, `/v1/exec?${query}`);
}

async function attach(target: string): Promise<ExecConnection> {
  return await ExecConnection.open(agent.socketPath, `/v1/exec${target}`);
}

async function leave(connection: ExecConnection): Promise<string> {
  const id = await connection.sessionId();
  connection.socket.terminate();
  await once(connection.socket, 'close');
  return id;
}

const stdout = (connection: ExecConnection): string => connection.output(streamIds.stdout).toString();

async function liveIds(): Promise<readonly string[]> {
  const { body } = await httpRequest(agent.socketPath, { path: '/v1/exec' });
  const list: { sessions: { id: string }[] } = JSON.parse(body);
  return list.sessions.map(({ id }) => id);
}

async function untilGone(id: string): Promise<void> {
  while ((await liveIds()).includes(id));
}

describe('attaching to a session', () => {
  it('replays both streams apart, goes on live and reports the end', async () => {
    const owner = await start('echo one; sleep 0.1; echo two >&2; read line; echo "three $line"; exit 5', {
      detachable: 'true',
    });
    await owner.until(() => owner.output(streamIds.stderr).includes('two'));
    const id = await leave(owner);
    const guest = await attach(`/${id}?stdin=true`);
    expect(await guest.sessionId()).toBe(id);
    expect(guest.texts[0]).toMatchObject({ is_owner: false, tty: false, cursor: 0, end: 8 });
    guest.write('more\n');
    expect(await guest.result()).toMatchObject({
      stdout: 'one\nthree more\n',
      stderr: 'two\n',
      exitCode: 5,
      closeCode: 1000,
    });
  });

  it.each([(id: string) => `?id=${id}`, (id: string) => `?session_id=${id}&cmd=x&path=x&stdin=false`])(
    'works in every spelling (%#)',
    async (target) => {
      const owner = await start('echo hello; read line');
      const guest = await attach(target(await owner.sessionId()));
      await guest.until(() => stdout(guest) === 'hello\n');
      owner.write('\n');
      expect(await guest.result()).toMatchObject({ exitCode: 0 });
    },
  );

  it('resumes at a cursor', async () => {
    const owner = await start('printf 0123456789; read line; printf abc');
    await owner.until(() => stdout(owner).length === 10);
    const guest = await attach(`/${await owner.sessionId()}?cursor=4`);
    await guest.until(() => stdout(guest).length === 6);
    const late = await attach(`/${await owner.sessionId()}?cursor=99`);
    expect(await late.sessionId().then(() => late.texts[0])).toMatchObject({ cursor: 10, end: 10 });
    owner.write('\n');
    expect(await guest.result()).toMatchObject({ stdout: '456789abc' });
    expect(await late.result()).toMatchObject({ stdout: 'abc' });
  });

  it('names the bytes that are gone before the first output', async () => {
    const bytes = 3_000_000;
    const owner = await start(`head -c ${bytes} /dev/zero; echo end >&2; read line`);
    await owner.until(() => owner.output(streamIds.stderr).length > 0);
    const guest = await attach(`/${await owner.sessionId()}?cursor=1000`);
    owner.write('\n');
    const { texts, stdout: output } = await guest.result();
    const start_ = bytes + 4 - 1024 * 1024;
    expect(texts[0]).toMatchObject({ cursor: start_, end: bytes + 4 });
    expect(texts[1]).toEqual({ type: 'gap', from: 1000, to: start_ });
    expect(output.length).toBe(bytes - start_);
  });

  it('ignores the end of input that clients send before they know of the terminal', async () => {
    const owner = await start('echo ready; read line; echo "got $line"', { tty: 'true' });
    const guest = await attach(`/${await owner.sessionId()}`);
    guest.endInput();
    guest.socket.send(Buffer.from('word\n'));
    const { raw } = await guest.result();
    expect(raw.toString()).toContain('got word');
  });

  it('starts the replay of a terminal on a whole line', async () => {
    const owner = await start('seq 300000; echo done; read line', { tty: 'true' });
    await owner.until(() => owner.messages.at(-1)?.includes('done') ?? false);
    const guest = await attach(`/${await owner.sessionId()}`);
    await guest.until(() => guest.messages.at(-1)?.includes('done') ?? false);
    const lines = Buffer.concat(guest.messages).toString().split('\r\n');
    const first = Number(lines[0]);
    expect(lines.slice(0, 3)).toEqual([String(first), String(first + 1), String(first + 2)]);
    expect(first).toBeGreaterThan(100_000);
    owner.socket.send(Buffer.from('\n'));
    await guest.result();
  });

  it('lets every client send input and see all output', async () => {
    const owner = await start('while read line; do echo "<$line>"; done');
    const guest = await attach(`/${await owner.sessionId()}`);
    owner.write('a\n');
    await guest.until(() => stdout(guest) === '<a>\n');
    guest.write('b\n');
    await owner.until(() => stdout(owner) === '<a>\n<b>\n');
    owner.endInput();
    expect(await guest.result()).toMatchObject({ exitCode: 0 });
  });

  it('is refused when the session has ended', async () => {
    const owner = await start('exit 0');
    const id = await owner.sessionId();
    await owner.result();
    await expect(attach(`/${id}`)).rejects.toThrow(
      `404 {"error":"session_not_found","message":"session not found: ${id}"}`,
    );
  });
});

describe('a session without clients', () => {
  it('never waits for one', async () => {
    const owner = await start('echo ready; head -c 5000000 /dev/zero; echo done >&2; read line', {
      detachable: 'true',
    });
    const id = await leave(owner);
    const guest = await attach(`/${id}`);
    await guest.until(() => guest.output(streamIds.stderr).toString() === 'done\n');
    guest.write('\n');
    expect(await guest.result()).toMatchObject({ exitCode: 0 });
  });

  it('is ended when its time is over', async () => {
    const owner = await start('trap "exit 0" TERM; while :; do sleep 0.05; done', {
      max_run_after_disconnect: '100ms',
    });
    await untilGone(await leave(owner));
  });

  it('goes on when a client came back in time', async () => {
    const owner = await start('sleep 0.8; echo survived', { max_run_after_disconnect: '400ms' });
    const guest = await attach(`/${await leave(owner)}`);
    expect(await guest.result()).toMatchObject({ stdout: 'survived\n', exitCode: 0 });
  });

  it('survives when it is detachable', async () => {
    const owner = await start('read line; echo "$line"', { detachable: 'true' });
    const id = await leave(owner);
    expect(await liveIds()).toContain(id);
    const guest = await attach(`/${id}`);
    guest.write('still here\n');
    expect(await guest.result()).toMatchObject({ stdout: 'still here\n' });
  });
});

describe('a client that reads slowly', () => {
  it('slows the command down and loses nothing', async () => {
    const owner = await start('head -c 50000000 /dev/zero; echo done >&2');
    await owner.sessionId();
    owner.socket.pause();
    const before = await residentBytes();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await residentBytes()) - before).toBeLessThan(16 * 1024 * 1024);
    expect(await liveIds()).toContain(await owner.sessionId());
    owner.socket.resume();
    const result = await owner.result();
    expect([result.stdout.length, result.stderr, result.exitCode]).toEqual([50_000_000, 'done\n', 0]);
  });

  it('does not keep memory for input the program does not read', async () => {
    const owner = await start('sleep 1; wc -c');
    const chunk = Buffer.concat([Buffer.of(0), Buffer.alloc(1024 * 1024)]);
    const before = await residentBytes();
    for (let i = 0; i < 40; i++) owner.socket.send(chunk);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await residentBytes()) - before).toBeLessThan(16 * 1024 * 1024);
    owner.endInput();
    expect((await owner.result()).stdout.trim()).toBe(String(40 * 1024 * 1024));
  });
});

async function residentBytes(): Promise<number> {
  const { readFile } = await import('node:fs/promises');
  const status = await readFile(`/proc/${agent.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
}
