import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Measurement } from '../measurement.ts';
import { MemoryGrowth } from '../memory-growth.ts';
import { pidsOfSprite } from '../memory-of.ts';
import type { Row } from '../samples.ts';
import { SpriteCommand } from '../sprite-command.ts';
import { writeNoise } from './write-noise.ts';

const parent = '/var/tmp/sprites-test';
const sizeGb = 10;
const sizeBytes = sizeGb * 1e9;
/** The command is compared with itself when it copies as much as this. */
const smallBytes = 1e9;

type Copy = { readonly what: string; readonly from: string; readonly to: string; readonly usualMb: number };

/** A file larger than the memory anything on its way may take. Needs 20 GB of disk and some minutes. */
export const filesBig: Measurement = {
  name: 'files-big',
  title: `a file of ${sizeGb} GB into a sprite and out again`,
  onlyByName: true,
  async run({ client, server, nextName }) {
    const sprite = await client.createSprite(nextName());
    await sprite.execFile('true');
    await mkdir(parent, { recursive: true });
    const folder = await mkdtemp(path.join(parent, 'bench-files-big-'));
    await using command = await SpriteCommand.open(server);
    const [source, back] = [path.join(folder, 'big'), path.join(folder, 'back')];
    const agents = await pidsOfSprite((await client.getSprite(sprite.name)).id ?? 'unknown');
    const measure = async ({ what, from, to, usualMb }: Copy): Promise<readonly Row[]> => {
      using serverGrowth = await MemoryGrowth.watch('server', [server.pid]);
      using agentGrowth = await MemoryGrowth.watch('agent', agents);
      const startedMs = performance.now();
      const running = command.start(['cp', from, to]);
      using commandGrowth = await MemoryGrowth.watch('command', [running.pid ?? 0], usualMb);
      await command.finish(running);
      const mbPerS = sizeBytes / 1000 / (performance.now() - startedMs);
      const growths = [serverGrowth, agentGrowth, commandGrowth].map((one) => one.toRow(what));
      return [{ what, n: 1, p50: mbPerS, unit: 'MB/s' }, ...growths];
    };
    try {
      await writeNoise(source, smallBytes);
      const usual = {
        into: await peakMb(command, source, `${sprite.name}:small`),
        outOf: await peakMb(command, `${sprite.name}:small`, back),
      };
      await writeNoise(source, sizeBytes);
      const into = await measure({
        what: `${sizeGb} GB in, \`sprite cp\``,
        from: source,
        to: `${sprite.name}:big`,
        usualMb: usual.into,
      });
      await rm(source);
      const outOf = await measure({
        what: `${sizeGb} GB out, \`sprite cp\``,
        from: `${sprite.name}:big`,
        to: back,
        usualMb: usual.outOf,
      });
      const { size } = await stat(back);
      if (size !== sizeBytes) throw new Error(`${size} bytes came of ${sizeBytes}`);
      return [...into, ...outOf];
    } finally {
      await rm(folder, { recursive: true });
      await sprite.delete();
    }
  },
};

async function peakMb(command: SpriteCommand, from: string, to: string): Promise<number> {
  const running = command.start(['cp', from, to]);
  using growth = await MemoryGrowth.watch('command', [running.pid ?? 0]);
  await command.finish(running);
  return growth.peakMb;
}
