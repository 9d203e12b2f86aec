import type { Measurement } from '../measurement.ts';
import { latencyRow } from '../samples.ts';

const count = 50;

/** Many cold sprites that all get a command at the same moment. */
export const wakeStorm: Measurement = {
  name: 'wake-storm',
  title: `${count} cold sprites at once`,
  async run({ client, nextName }) {
    const sprites = await Promise.all(Array.from({ length: count }, () => client.createSprite(nextName())));
    await Promise.all(sprites.map((sprite) => sprite.sleep({ to: 'cold' })));
    const startedMs = performance.now();
    const outcomes = await Promise.allSettled(
      sprites.map(async (sprite) => {
        await sprite.execFile('true');
        return performance.now() - startedMs;
      }),
    );
    const seconds = (performance.now() - startedMs) / 1000;
    const waits = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    for (const outcome of outcomes) if (outcome.status === 'rejected') console.error(outcome.reason);
    await Promise.all(sprites.map((sprite) => sprite.delete()));
    return [
      {
        what: `${count} cold wakes at once, answered`,
        n: count,
        p50: waits.length,
        unit: 'of',
        promise: 'all answered',
        kept: waits.length === count,
      },
      latencyRow(`${count} cold wakes at once, each`, waits),
      { what: `${count} cold wakes at once, the last`, n: 1, p50: seconds, unit: 's' },
    ];
  },
};
