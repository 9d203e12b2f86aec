import type { Sprite } from '@sprites/sdk';
import type { Bench, Measurement } from '../measurement.ts';
import { copyPeers } from '../peers/copies.ts';
import { latencyRow, quantile, type Row } from '../samples.ts';
import { fillScript } from './fill-script.ts';
import { WriteGaps } from './write-gaps.ts';

const forksAtOnce = 20;
const dirtyMb = 300;

/** What saving, restoring and copying cost, on disks of several sizes beside what people use otherwise. */
export const checkpoints: Measurement = {
  name: 'checkpoints',
  title: 'checkpoint, restore and fork over disks of several sizes',
  async run(bench) {
    const rows: Row[] = [];
    for (const sizeGb of bench.sizesGb) {
      const sprite = await bench.client.createSprite(bench.nextName());
      await sprite.execFile('sh', ['-c', `cd ~ && ${fillScript(sizeGb)} && sync`]);
      rows.push(...(await measurePauses(bench, sprite, sizeGb)));
      rows.push(...(await measureRestores(bench, sprite, sizeGb)));
      rows.push(...(await measureForks(bench, sprite, sizeGb)));
      await sprite.delete();
      rows.push(...(await copyPeers(sizeGb, Math.min(bench.n, 3))));
    }
    return rows;
  },
};

async function measurePauses({ n }: Bench, sprite: Sprite, sizeGb: number): Promise<readonly Row[]> {
  const of = `${sizeGb} GB`;
  const clean = await sample(n, sprite, async () => {});
  const dirty = await sample(n, sprite, async () => {
    await sprite.execFile('sh', ['-c', `head -c ${dirtyMb}M /dev/zero > ~/dirty`]);
  });
  return [
    latencyRow(`checkpoint of ${of}, writes held up`, clean.pauses, { p50Ms: 5 }),
    latencyRow(`checkpoint of ${of}, call`, clean.calls, { p50Ms: 60 }),
    latencyRow(`checkpoint of ${of} with ${dirtyMb} MB dirty, writes held up`, dirty.pauses, { p50Ms: 60 }),
    latencyRow(`checkpoint of ${of} with ${dirtyMb} MB dirty, call`, dirty.calls),
  ];
}

async function sample(
  n: number,
  sprite: Sprite,
  prepare: () => Promise<void>,
): Promise<{ readonly pauses: readonly number[]; readonly calls: readonly number[] }> {
  await using gaps = new WriteGaps(sprite);
  const pauses: number[] = [];
  const calls: number[] = [];
  for (let index = -1; index < n; index++) {
    await prepare();
    await gaps.longestMs();
    const startedMs = performance.now();
    const { checkpointId = '' } = await (await sprite.createCheckpoint()).wait();
    const calledMs = performance.now() - startedMs;
    const pauseMs = await gaps.longestMs();
    await removeOthers(sprite, checkpointId);
    if (index < 0) continue;
    pauses.push(pauseMs);
    calls.push(calledMs);
  }
  return { pauses, calls };
}

async function measureRestores({ n }: Bench, sprite: Sprite, sizeGb: number): Promise<readonly Row[]> {
  const { id } = await sprite.checkpoint();
  const samples: number[] = [];
  for (let index = -1; index < n; index++) {
    const startedMs = performance.now();
    await sprite.restore(id);
    await sprite.execFile('true');
    if (index >= 0) samples.push(performance.now() - startedMs);
    await removeOthers(sprite, id);
  }
  const row = latencyRow(`restore of ${sizeGb} GB → exec answered`, samples, { p50Ms: 400 });
  const kept = row.kept === true && quantile(samples, 0.99) <= 1200;
  return [{ ...row, promise: 'p50 ≤ 400 ms, p99 ≤ 1.2 s', kept }];
}

async function measureForks({ n, nextName }: Bench, sprite: Sprite, sizeGb: number): Promise<readonly Row[]> {
  const samples: number[] = [];
  for (let index = -1; index < n; index++) {
    const startedMs = performance.now();
    const copy = await sprite.fork(nextName());
    await copy.execFile('true');
    if (index >= 0) samples.push(performance.now() - startedMs);
    await copy.delete();
  }
  const { id } = await sprite.checkpoint();
  const startedMs = performance.now();
  const copies = await Promise.all(
    Array.from({ length: forksAtOnce }, async () => {
      const copy = await sprite.fork(nextName(), { checkpoint: id });
      await copy.execFile('true');
      return copy;
    }),
  );
  const seconds = (performance.now() - startedMs) / 1000;
  await Promise.all(copies.map((copy) => copy.delete()));
  return [
    latencyRow(`fork of ${sizeGb} GB → exec answered`, samples, { p50Ms: 400 }),
    {
      what: `${forksAtOnce} forks of ${sizeGb} GB at once, each with its first exec`,
      n: 1,
      p50: seconds,
      unit: 's',
      promise: '≤ 3 s',
      kept: seconds <= 3,
    },
  ];
}

/** Leaves only what the sprite is based on, so that every sample finds the same. */
async function removeOthers(sprite: Sprite, keep: string): Promise<void> {
  for (const { id } of await sprite.listCheckpoints({ includeAuto: true })) {
    if (id !== 'Current' && id !== keep) await sprite.deleteCheckpoint(id).catch(() => undefined);
  }
}
