import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import type { Sprite } from '@sprites/sdk';
import type { Bench, Measurement } from '../measurement.ts';
import { MemoryGrowth } from '../memory-growth.ts';
import { pidsOfSprite } from '../memory-of.ts';
import { quantile, type Row, timeEach } from '../samples.ts';
import { SpriteCommand } from '../sprite-command.ts';
import { writeNoise } from './write-noise.ts';

const parent = '/var/tmp/sprites-test';
const bigBytes = 1024 ** 3;
const smallCount = 10_000;
const smallBytes = 1024;
/** Files that are copied by requests of their own; the time for all is scaled from them. */
const singleCount = 200;
const leastFactor = 5;

/** Files in and out: a large one, and very many small ones beside one request for each. */
export const files: Measurement = {
  name: 'files',
  title: 'files in and out of a sprite',
  async run(bench) {
    const sprite = await bench.client.createSprite(bench.nextName());
    await sprite.execFile('true');
    await mkdir(parent, { recursive: true });
    const folder = await mkdtemp(path.join(parent, 'bench-files-'));
    await using command = await SpriteCommand.open(bench.server);
    const place: Place = { sprite, folder, command };
    try {
      return [...(await measureBig(bench, place)), ...(await measureSmall(bench, place))];
    } finally {
      await rm(folder, { recursive: true });
      await sprite.delete();
    }
  },
};

type Place = { readonly sprite: Sprite; readonly folder: string; readonly command: SpriteCommand };

async function measureBig({ client, server, n }: Bench, place: Place): Promise<readonly Row[]> {
  const { sprite, folder, command } = place;
  const samples = Math.min(n, 3);
  const [source, back] = [path.join(folder, 'big'), path.join(folder, 'back')];
  await writeNoise(source, bigBytes);
  const agents = await pidsOfSprite((await client.getSprite(sprite.name)).id ?? 'unknown');
  const rows: Row[] = [];
  const measure = async (what: string, copy: () => Promise<void>): Promise<void> => {
    using serverGrowth = await MemoryGrowth.watch('server', [server.pid]);
    using agentGrowth = await MemoryGrowth.watch('agent', agents);
    const took = await timeEach(samples, copy);
    rows.push({ what, n: samples, p50: bigBytes / 1000 / quantile(took, 0.5), unit: 'MB/s' });
    rows.push(serverGrowth.toRow(what), agentGrowth.toRow(what));
  };
  const fileSystem = sprite.filesystem();
  await measure('1 GiB in, file API', async () => {
    // Node's and the web's streams are the same class under two declarations.
    const stream = Readable.toWeb(createReadStream(source, { highWaterMark: 256 * 1024 }));
    await fileSystem.writeFile('big', stream as ReadableStream<Uint8Array>);
  });
  await measure('1 GiB out, file API', async () => {
    const { body } = await fileSystem.openRead('big');
    let got = 0;
    for await (const chunk of body ?? []) got += chunk.length;
    if (got !== bigBytes) throw new Error(`${got} bytes came of ${bigBytes}`);
  });
  await measure('1 GiB in, `sprite cp`', () => command.run(['cp', source, `${sprite.name}:big`]));
  await measure('1 GiB out, `sprite cp`', () => command.run(['cp', `${sprite.name}:big`, back]));
  await fileSystem.rm('big');
  await Promise.all([rm(source), rm(back)]);
  return rows;
}

async function measureSmall({ n }: Bench, { sprite, folder, command }: Place): Promise<readonly Row[]> {
  const samples = Math.min(n, 3);
  const [source, back] = [path.join(folder, 'small'), path.join(folder, 'small-back')];
  const names = await writeSmall(source);
  const fileSystem = sprite.filesystem();
  const into = await timeEach(samples, async () => {
    await fileSystem.rm('small', { recursive: true, force: true });
    await command.run(['cp', source, `${sprite.name}:small`]);
  });
  const { stdout } = await sprite.execFile('sh', ['-c', 'find small -type f | wc -l']);
  if (Number(stdout) !== smallCount) throw new Error(`${stdout.trim()} files are there of ${smallCount}`);
  const outOf = await timeEach(samples, async () => {
    await rm(back, { recursive: true, force: true });
    await command.run(['cp', `${sprite.name}:small`, back]);
  });
  const here = (await readdir(back, { recursive: true, withFileTypes: true })).filter((one) => one.isFile());
  if (here.length !== smallCount) throw new Error(`${here.length} files came of ${smallCount}`);
  const single = names.slice(0, singleCount);
  const content = Buffer.alloc(smallBytes, 'x');
  await sprite.execFile('mkdir', ['one']);
  const flat = (name: string): string => `one/${path.basename(name)}`;
  return [
    ...compare('in', into, {
      'one exec each': await timeOneByOne(single, async (name) => {
        await sprite.execFile('sh', ['-c', 'cat > "$0"', flat(name)], { input: content.toString() });
      }),
      'file API, one by one': await timeOneByOne(single, (name) => fileSystem.writeFile(flat(name), content)),
    }),
    ...compare('out', outOf, {
      'one exec each': await timeOneByOne(single, async (name) => {
        const { stdout: got } = await sprite.execFile('cat', [`small/${name}`]);
        await writeFile(path.join(folder, 'one'), got);
      }),
      'file API, one by one': await timeOneByOne(single, async (name) => {
        await writeFile(path.join(folder, 'one'), await fileSystem.readFile(`small/${name}`));
      }),
    }),
  ];
}

/** Makes small files in 100 directories and tells their names. */
async function writeSmall(folder: string): Promise<readonly string[]> {
  const names = Array.from({ length: smallCount }, (_, index) => `${index % 100}/${index}`);
  for (let index = 0; index < 100; index++) {
    await mkdir(path.join(folder, String(index)), { recursive: true });
  }
  for (const name of names) await writeFile(path.join(folder, name), name.padEnd(smallBytes, '.'));
  return names;
}

/** Milliseconds for as many files as the others copy, from those that were copied one after another. */
async function timeOneByOne(
  names: readonly string[],
  copy: (name: string) => Promise<void>,
): Promise<number> {
  const startedMs = performance.now();
  for (const name of names) await copy(name);
  return ((performance.now() - startedMs) / names.length) * smallCount;
}

function compare(
  direction: string,
  together: readonly number[],
  { 'one exec each': exec, 'file API, one by one': api }: OneByOne,
): readonly Row[] {
  const togetherMs = quantile(together, 0.5);
  const what = `${smallCount} files of 1 KiB ${direction}`;
  const scaled = `scaled from ${singleCount}`;
  return [
    { what: `${what}, \`sprite cp\``, n: together.length, p50: togetherMs / 1000, unit: 's' },
    { what: `${what}, one exec each (${scaled})`, n: singleCount, p50: exec / 1000, unit: 's' },
    { what: `${what}, file API one by one (${scaled})`, n: singleCount, p50: api / 1000, unit: 's' },
    {
      what: `${what}: one exec each / \`sprite cp\``,
      n: together.length,
      p50: exec / togetherMs,
      unit: '×',
      promise: `≥ ${leastFactor}`,
      kept: exec / togetherMs >= leastFactor,
    },
  ];
}

type OneByOne = { readonly 'one exec each': number; readonly 'file API, one by one': number };
