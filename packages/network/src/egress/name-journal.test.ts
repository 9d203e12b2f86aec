import { appendFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { LearntName } from './address-book.ts';
import { NameJournal } from './name-journal.ts';

const one = { name: 'good.test', address: '198.51.100.3' };
const two = { name: 'a_b.wild-1.test', address: '198.51.100.4' };

async function fixture() {
  const directory = await mkdtemp(join(tmpdir(), 'sprites-names-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const warnings: string[] = [];
  const log = { info: () => undefined, warn: (_: object, message: string) => warnings.push(message) };
  const open = (): Promise<NameJournal> => NameJournal.open(directory, log);
  return { directory, open, warnings, file: join(directory, 'sprite_1') };
}

const unasked = (): readonly LearntName[] => {
  throw new Error('the file is small');
};

describe('NameJournal', () => {
  it('tells the next process what was noted, in the same order', async () => {
    const { open, warnings } = await fixture();
    const first = await open();
    await first.append('sprite_1', [one], unasked);
    await first.append('sprite_1', [two, one], unasked);
    await first.append('sprite_2', [two], unasked);
    const second = await open();
    expect(await second.read('sprite_1')).toEqual([one, two, one]);
    expect(await second.read('sprite_2')).toEqual([two]);
    expect(await second.read('sprite_3')).toEqual([]);
    expect(warnings).toEqual([]);
  });

  it('leaves out a line that was cut, and goes on behind what is whole', async () => {
    const { open, file } = await fixture();
    await (await open()).append('sprite_1', [one], unasked);
    await appendFile(file, '198.51.100.9 goo');
    const next = await open();
    expect(await next.read('sprite_1')).toEqual([one]);
    await next.append('sprite_1', [two], unasked);
    expect(await (await open()).read('sprite_1')).toEqual([one, two]);
  });

  it('stays small: it is written anew with what still counts', async () => {
    const { open, file } = await fixture();
    const journal = await open();
    for (let count = 0; count < 3000; count += 1) await journal.append('sprite_1', [one], () => [two, one]);
    expect((await readFile(file, 'latin1')).split('\n').length).toBeLessThan(1100);
    expect((await (await open()).read('sprite_1')).slice(0, 3)).toEqual([two, one, one]);
  });

  it('forgets sprites that are gone', async () => {
    const { open, directory } = await fixture();
    const journal = await open();
    for (const id of ['sprite_1', 'sprite_2', 'sprite_3']) await journal.append(id, [one], unasked);
    await journal.remove('sprite_1');
    await journal.remove('sprite_1');
    expect(await journal.read('sprite_1')).toEqual([]);
    await journal.retain(new Set(['sprite_3']));
    expect(await readdir(directory)).toEqual(['sprite_3']);
  });

  it('goes on without a file that cannot be written or read, and says so', async () => {
    const { open, directory, warnings } = await fixture();
    const journal = await open();
    await rm(directory, { recursive: true });
    await journal.append('sprite_1', [one], unasked);
    await appendFile(directory, 'no directory');
    expect(await journal.read('sprite_1')).toEqual([]);
    expect(warnings).toHaveLength(2);
  });
});
