import type { Measurement } from '../measurement.ts';
import { latencyRow, timeEach } from '../samples.ts';

const newConnection = { p50Ms: 10, p99Factor: 5 };
const controlConnection = { p50Ms: 4, p99Factor: 5 };

/** Round trips of `true` in a running sprite, by each way to ask for it. */
export const exec: Measurement = {
  name: 'exec',
  title: 'exec `true`',
  async run({ client, official, n, nextName }) {
    const sprite = await client.createSprite(nextName());
    await sprite.execFile('true');
    const theirs = official.sprite(sprite.name);
    const fresh = await timeEach(n, async () => {
      await sprite.execFile('true');
    });
    const freshOfficial = await timeEach(n, async () => {
      await theirs.execFile('true');
    });
    const control = await timeEach(n, async () => {
      await sprite.execFile('true', [], { controlMode: true });
    });
    const http = await timeEach(n, async () => {
      await sprite.execFileHTTP('true');
    });
    await sprite.delete();
    return [
      latencyRow('exec `true`, new connection, our SDK', fresh, newConnection),
      latencyRow('exec `true`, new connection, official SDK', freshOfficial, newConnection),
      latencyRow('exec `true`, control connection, our SDK', control, controlConnection),
      latencyRow('exec `true`, plain HTTP, our SDK', http),
    ];
  },
};
