import type { Measurement } from '../measurement.ts';
import { pidsOfSprite, proportionalMb } from '../memory-of.ts';

/** What many sprites that are frozen in memory cost together; as many as there are samples. */
export const warmMemory: Measurement = {
  name: 'warm-memory',
  title: 'memory of warm sprites',
  async run({ client, n, nextName }) {
    const names = Array.from({ length: n }, nextName);
    const pids: number[] = [];
    for (const name of names) {
      const sprite = await client.createSprite(name);
      await sprite.execFile('true');
      const { status, id } = await sprite.sleep();
      if (status !== 'warm') return `${name} is ${status} instead of warm`;
      pids.push(...(await pidsOfSprite(id ?? 'unknown')));
    }
    const totalMb = await proportionalMb(pids);
    const warm = (await client.listSprites({ maxResults: 1 })).warm;
    for (const name of names) await client.deleteSprite(name);
    return [
      {
        what: `${n} warm sprites`,
        n: 1,
        p50: warm,
        unit: 'of',
        promise: 'all stay warm',
        kept: warm === n,
      },
      { what: `${n} warm sprites, PSS`, n: 1, p50: totalMb, unit: 'MB' },
      { what: 'warm sprite, PSS', n, p50: totalMb / n, unit: 'MB' },
    ];
  },
};
