import type { Measurement } from '../measurement.ts';

const count = 50;

/** Many creations at the same time, each with a first command. */
export const burst: Measurement = {
  name: 'burst',
  title: '50 concurrent creates',
  async run({ client, nextName }) {
    const startedMs = performance.now();
    const outcomes = await Promise.allSettled(
      Array.from({ length: count }, async () => {
        const sprite = await client.createSprite(nextName());
        await sprite.execFile('true');
        return sprite;
      }),
    );
    const seconds = (performance.now() - startedMs) / 1000;
    const sprites = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    for (const outcome of outcomes) if (outcome.status === 'rejected') console.error(outcome.reason);
    await Promise.all(sprites.map((sprite) => sprite.delete()));
    return [
      {
        what: `${count} concurrent creates, succeeded`,
        n: count,
        p50: sprites.length,
        unit: 'of',
        promise: 'all succeed',
        kept: sprites.length === count,
      },
      { what: `${count} concurrent creates, each with its first exec`, n: 1, p50: seconds, unit: 's' },
    ];
  },
};
