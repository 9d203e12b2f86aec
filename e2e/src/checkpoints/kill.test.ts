import { setTimeout as sleep } from 'node:timers/promises';
import { SpritesClient } from '@sprites/sdk';
import { startTestServer } from '@sprites/testkit';
import { describe, expect, it } from 'vitest';
import { attachedFiles, expectedFiles, poolFiles } from './host-traces.ts';
import { Random } from './random.ts';
import { Turmoil } from './turmoil.ts';

const moments = 100;
/** A restore takes some 300 ms, the rest less. */
const latestMs = 450;

describe('kill -9 of the server', () => {
  it(`at ${moments} moments of everything at once loses nothing it answered for and leaves nothing half-made`, async () => {
    const random = new Random();
    console.log(`SPRITES_E2E_SEED=${random.seed}`);
    // Machines that wait to be given away have disks of nobody.
    await using server = await startTestServer({ settings: { SPRITES_READY_MACHINES: '0' } });
    const client = new SpritesClient(server.token, { baseURL: server.baseUrl });
    const turmoil = await Turmoil.open(server, random);
    for (let moment = 1; moment <= moments; moment++) {
      const ended = await turmoil.begin();
      await sleep(random.next() * latestMs);
      await server.kill9();
      await ended;
      await server.restart();
      const note = `moment ${moment} of seed ${random.seed}`;
      const expected = await expectedFiles(client);
      expect(await poolFiles(server), note).toEqual(expected);
      // disks of machines, and checkpoints that are readable inside
      for (const file of await attachedFiles(server)) expect(expected, note).toContain(file);
      await turmoil.check();
      if (moment % 10 === 0) console.log(`${moment} moments`);
      if (moment % 25 === 0) await turmoil.checkAll();
    }
  }, 1_800_000);
});
