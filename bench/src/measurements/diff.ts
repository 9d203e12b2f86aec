import type { Measurement } from '../measurement.ts';
import { latencyRow, type Row, timeEach } from '../samples.ts';

const files = 10_000;
const mostSamples = 20;

/** Every file is written anew with other content of the same size, so that all of it must be read to be told. */
const script = `import os, sys
for i in range(${files}):
    os.makedirs('/home/sprite/t/%d' % (i // 100), exist_ok=True)
    with open('/home/sprite/t/%d/%d' % (i // 100, i), 'w') as f: f.write('%s %06d' % (sys.argv[1], i))
os.sync()`;

/** How long it takes to learn what differs between two checkpoints. */
export const diff: Measurement = {
  name: 'diff',
  title: `diff of ${files} changed files`,
  async run({ client, n, nextName }) {
    const sprite = await client.createSprite(nextName());
    const write = async (word: string): Promise<void> => {
      await sprite.execFile('python3', ['-c', script, word]);
      await sprite.checkpoint();
    };
    await write('one');
    await write('two');
    await sprite.execFile('sleep', ['3']);
    await sprite.checkpoint();
    const measure = (before: string, after: string, changes: number): Promise<readonly number[]> =>
      timeEach(Math.min(n, mostSamples), async () => {
        const found = await (await sprite.diff(before, after, { path: '/home/sprite/t' })).all();
        if (found.length !== changes) throw new Error(`${found.length} differences instead of ${changes}`);
      });
    const rows: readonly Row[] = [
      latencyRow(`diff, ${files} files rewritten`, await measure('v1', 'v2', files), { p50Ms: 500 }),
      latencyRow(`diff, ${files} files untouched`, await measure('v3', 'v3', 0)),
    ];
    await sprite.delete();
    return rows;
  },
};
