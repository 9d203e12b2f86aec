import type { Sprite } from '@sprites/sdk';
import type { Measurement } from '../measurement.ts';
import { latencyRow, timeEach } from '../samples.ts';

const files = 10_000;
const mostSamples = 20;
const promise = { p50Ms: 500 };
const path = '/home/sprite/t';

/** Writes every file anew: a word, of which only the length can be told without reading, and the file's number. */
const script = `import os, sys
for i in range(${files}):
    os.makedirs('${path}/%d' % (i // 100), exist_ok=True)
    with open('${path}/%d/%d' % (i // 100, i), 'w') as f: f.write('%s %06d' % (sys.argv[1], i))
os.sync()`;

/** How long it takes to learn what differs between two checkpoints. */
export const diff: Measurement = {
  name: 'diff',
  title: `diff of ${files} changed files`,
  async run({ client, n, nextName }) {
    const sprite = await client.createSprite(nextName());
    for (const word of ['one', 'two', 'three']) {
      await sprite.execFile('python3', ['-c', script, word]);
      await sprite.checkpoint();
    }
    // or their times would not prove that nobody touched the files
    await sprite.execFile('sleep', ['3']);
    for (const text of ['four', 'five']) {
      await sprite.execFile('sh', ['-c', `echo ${text} > ${path}/last`]);
      await sprite.checkpoint();
    }
    const measure = (before: string, after: string, changes: number): Promise<readonly number[]> =>
      timeEach(Math.min(n, mostSamples), () => compare(sprite, { before, after, changes }));
    const startedMs = performance.now();
    await compare(sprite, { before: 'v1', after: 'v2', changes: files });
    const rows = [
      latencyRow(`diff, ${files} files rewritten, the first`, [performance.now() - startedMs]),
      latencyRow(
        `diff, ${files} files rewritten at the same size`,
        await measure('v1', 'v2', files),
        promise,
      ),
      latencyRow(`diff, ${files} files changed in size`, await measure('v2', 'v3', files), promise),
      latencyRow(`diff, one of ${files} files changed`, await measure('v4', 'v5', 1)),
    ];
    await sprite.delete();
    return rows;
  },
};

type Question = { readonly before: string; readonly after: string; readonly changes: number };

async function compare(sprite: Sprite, { before, after, changes }: Question): Promise<void> {
  const found = await (await sprite.diff(before, after, { path })).all();
  const changed = found.filter(({ change }) => change === 'changed').length;
  if (changed !== changes) throw new Error(`${changed} changed files instead of ${changes}`);
}
