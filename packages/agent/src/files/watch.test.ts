import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AgentProcess, startAgent } from '../testing/agent-process.ts';
import { ExecConnection } from '../testing/exec-connection.ts';

let agent: AgentProcess;
let dir: string;
beforeAll(async () => {
  agent = await startAgent();
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
});
beforeEach(async () => {
  dir = await mkdtemp('/var/tmp/sprites-watch-');
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function watch(paths: readonly string[], recursive = false): Promise<ExecConnection> {
  const connection = await ExecConnection.open(agent.socketPath, '/v1/fs/watch');
  connection.sendJson({ type: 'subscribe', paths, recursive, workingDir: dir });
  await connection.until(({ texts }) => texts.some(({ type }) => type === 'subscribed'));
  return connection;
}

async function untilEvent(
  connection: ExecConnection,
  event: string,
  path: string,
): Promise<object | undefined> {
  const find = (): object | undefined =>
    connection.texts.find((text) => text.event === event && text.path === path);
  await connection.until(() => find() !== undefined);
  return find();
}

describe('a watch', () => {
  it('tells of what happens in a directory, by the path that was given', async () => {
    await mkdir(join(dir, 'src'));
    const connection = await watch(['src']);
    expect(connection.texts).toEqual([{ type: 'subscribed', paths: ['src'] }]);
    await writeFile(join(dir, 'src/a'), 'text');
    expect(await untilEvent(connection, 'write', 'src/a')).toEqual({
      type: 'event',
      path: 'src/a',
      event: 'write',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      size: 4,
      isDir: false,
    });
    await untilEvent(connection, 'create', 'src/a');
    await chmod(join(dir, 'src/a'), 0o600);
    await untilEvent(connection, 'chmod', 'src/a');
    await rename(join(dir, 'src/a'), join(dir, 'src/b'));
    expect(await untilEvent(connection, 'rename', 'src/a')).not.toHaveProperty('size');
    await untilEvent(connection, 'create', 'src/b');
    await rm(join(dir, 'src/b'));
    await untilEvent(connection, 'remove', 'src/b');
    connection.socket.close();
  });

  it('follows directories that are made, also what is in them already', async () => {
    const connection = await watch(['.'], true);
    execFileSync('sh', ['-c', 'mkdir -p one/two/three && echo x > one/two/three/file'], { cwd: dir });
    await untilEvent(connection, 'create', './one/two/three/file');
    await writeFile(join(dir, 'one/two/later'), '');
    await untilEvent(connection, 'create', './one/two/later');
    connection.socket.close();
  });

  it('makes one event of many of a kind', async () => {
    const connection = await watch(['.']);
    execFileSync('sh', ['-c', 'for i in $(seq 500); do echo $i >> log; done; touch end'], { cwd: dir });
    await untilEvent(connection, 'create', './end');
    expect(
      connection.texts.filter(({ path, event }) => path === './log' && event === 'write').length,
    ).toBeLessThan(100);
    connection.socket.close();
  });

  it('survives the deletion of what it watches', async () => {
    await mkdir(join(dir, 'tree/sub'), { recursive: true });
    execFileSync('sh', ['-c', 'seq 2000 | xargs touch'], { cwd: join(dir, 'tree/sub') });
    const connection = await watch(['tree'], true);
    await rm(join(dir, 'tree'), { recursive: true });
    await untilEvent(connection, 'remove', 'tree');
    connection.sendJson({ type: 'subscribe', paths: ['.'], workingDir: dir });
    await connection.until(({ texts }) => texts.filter(({ type }) => type === 'subscribed').length === 2);
    await writeFile(join(dir, 'alive'), '');
    await untilEvent(connection, 'create', './alive');
    connection.socket.close();
  });

  it('says when there was too much to tell', async () => {
    const connection = await watch(['.']);
    execFileSync('sh', ['-c', 'seq -f file-%.0f 60000 | xargs touch'], { cwd: dir });
    await connection.until(({ texts }) => texts.some(({ code }) => code === 'overflow'));
    await writeFile(join(dir, 'after'), '');
    await untilEvent(connection, 'create', './after');
    connection.socket.close();
  });

  it('says what it cannot watch, and takes a subscription back', async () => {
    const connection = await watch(['nothing', '.']);
    expect(connection.texts[0]).toEqual({ type: 'error', message: 'nothing: no such file or directory' });
    connection.sendJson({ type: 'nonsense' });
    await connection.until(({ texts }) => texts.length === 3);
    expect(connection.texts[2]).toMatchObject({
      type: 'error',
      message: expect.stringContaining('subscribe'),
    });
    connection.sendJson({ type: 'unsubscribe', paths: ['nothing', '.'], workingDir: dir });
    connection.sendJson({ type: 'subscribe', paths: [dir] });
    await connection.until(({ texts }) => texts.length === 4);
    await writeFile(join(dir, 'x'), '');
    await untilEvent(connection, 'create', join(dir, 'x'));
    expect(connection.texts.filter(({ path }) => path === './x')).toEqual([]);
    connection.socket.close();
  });
});
