import { appendFile, chmod, mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { LineTagger } from './line-tagger.ts';
import { ServiceLog } from './service-log.ts';

async function fixture() {
  const dir = await mkdtemp(join(tmpdir(), 'sprites-log-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const path = join(dir, 'web.log');
  const tagger = new LineTagger('stdout');
  const lines = (...texts: readonly string[]): Buffer =>
    Buffer.from(tagger.push(Buffer.from(texts.map((text) => `${text}\n`).join('')), Date.now()));
  return { dir, path, lines };
}

/** Writes lines and waits until they are on the disk or lost. */
async function write(log: ServiceLog, lines: Buffer): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const unlisten = log.listen(resolve);
  log.append(lines, () => {});
  await promise;
  unlisten();
}

/** Everything from a position on. */
async function readAll(log: ServiceLog, from: number): Promise<readonly string[]> {
  const texts: string[] = [];
  for (let position = from; ; ) {
    const { lines, next } = await log.read(position, log.end);
    texts.push(...lines.map(({ text }) => text.trimEnd()));
    if (next === position) return texts;
    position = next;
  }
}

async function last(log: ServiceLog, count: number): Promise<readonly string[]> {
  return await readAll(log, (await log.findLast(count)).start);
}

describe('a log', () => {
  it('gives its last lines, also those of an earlier machine', async () => {
    const { path, lines } = await fixture();
    const first = await ServiceLog.open(path);
    expect(await last(first, 5)).toEqual([]);
    await write(first, lines('a', 'b', 'c'));
    expect(await last(first, 2)).toEqual(['b', 'c']);
    expect(await last(first, 3)).toEqual(['a', 'b', 'c']);
    expect(await last(first, 9)).toEqual(['a', 'b', 'c']);
    const second = await ServiceLog.open(path);
    await write(second, lines('d'));
    expect(await last(second, 2)).toEqual(['c', 'd']);
    expect(await last(second, 0)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('is rotated at 10 MiB, keeps three files, and readers follow from one to the next', async () => {
    const { path, lines } = await fixture();
    const log = await ServiceLog.open(path);
    const batch = Array.from({ length: 5000 }, () => 'x'.repeat(100));
    for (let round = 0; round < 60; round++) await write(log, lines(...batch, `round ${round}`));
    const sizes = await Promise.all(['', '.1', '.2'].map(async (suffix) => (await stat(path + suffix)).size));
    for (const size of sizes) expect(size).toBeLessThan(11 * 1024 * 1024);
    await expect(stat(`${path}.3`)).rejects.toThrow('ENOENT');
    const kept = await readAll(log, 0);
    const rounds = kept.filter((text) => text.startsWith('round'));
    expect(rounds.at(-1)).toBe('round 59');
    expect(rounds).toEqual(rounds.map((_, index) => `round ${60 - rounds.length + index}`));
    expect(kept.length).toBeGreaterThan(100_000);
    const { start } = await log.findLast(150_000);
    expect((await readAll(log, start)).length).toBe(Math.min(150_000, kept.length));
    const again = await ServiceLog.open(path);
    expect((await readAll(again, 0)).length).toBe(kept.length);
  });

  it('goes on when someone removes, cuts or grows the file', async () => {
    const { path, lines } = await fixture();
    const log = await ServiceLog.open(path);
    await write(log, lines('one'));
    for (const change of [() => rm(path), () => truncate(path), () => appendFile(path, 'foreign\n')]) {
      log.close();
      await readAll(log, log.end);
      await change();
      // the file is looked at again after a second
      await new Promise((resolve) => setTimeout(resolve, 0));
      const before = log.end;
      await write(log, lines('after'));
      expect(await readAll(log, before)).toContain('after');
      expect(await readFile(path, 'utf8')).toContain('] after\n');
    }
  });

  it('counts what the disk refuses, and goes on when it is mended', async () => {
    const { dir, path, lines } = await fixture();
    await mkdir(path);
    const log = await ServiceLog.open(path);
    await write(log, lines('lost'));
    expect(log.lostBytes).toBe(lines('lost').length);
    expect(log.end).toBe(0);
    await rm(path, { recursive: true });
    await write(log, lines('kept'));
    expect(await readAll(log, 0)).toEqual(['kept']);
    await chmod(dir, 0o755);
  });

  it('holds up who writes faster than the disk, and then calls', async () => {
    const { path } = await fixture();
    const log = await ServiceLog.open(path);
    const { promise, resolve } = Promise.withResolvers<void>();
    expect(log.append(Buffer.alloc(300_000, 'x\n'), resolve)).toBe(false);
    await promise;
    expect(log.append(Buffer.from('y\n'), () => {})).toBe(true);
  });

  it('takes a link in its place for no file', async () => {
    const { dir, path, lines } = await fixture();
    const { symlink } = await import('node:fs/promises');
    await writeFile(join(dir, 'target'), 'mine\n');
    await symlink(join(dir, 'target'), path);
    const log = await ServiceLog.open(path);
    await write(log, lines('x'));
    expect(log.lostBytes).toBeGreaterThan(0);
    expect(await readFile(join(dir, 'target'), 'utf8')).toBe('mine\n');
  });
});
