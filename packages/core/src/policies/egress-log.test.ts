import { describe, expect, it } from 'vitest';
import type { EgressDecision } from '../ports/network.ts';
import type { EgressRecord } from '../ports/store.ts';
import { EgressLog } from './egress-log.ts';

function fixture(stored: readonly EgressRecord[] = []) {
  const time = { now: 1000 };
  const written = new Map<string, readonly EgressRecord[]>([['a', stored]]);
  const ignore = (): void => {};
  const log = new EgressLog({
    store: {
      findEgress: async (spriteId) => written.get(spriteId) ?? [],
      putEgress: async (logs) => {
        for (const [spriteId, records] of logs) written.set(spriteId, records);
      },
    },
    clock: { now: () => time.now, sleep: async () => {} },
    log: { debug: ignore, info: ignore, warn: ignore, error: ignore },
  });
  const note = (name: string, more: Partial<EgressDecision> = {}): void =>
    log.note({ spriteId: 'a', name, verdict: 'allow', addresses: [], ...more });
  return { log, note, time, written };
}

describe('EgressLog', () => {
  it('counts what happens again, before and after it is written', async () => {
    const { log, note, time } = fixture();
    note('x.test', { addresses: ['192.0.2.1'] });
    time.now = 2000;
    await log.flush();
    note('x.test', { addresses: ['192.0.2.2', '192.0.2.1'] });
    note('x.test', { verdict: 'deny' });
    expect(await log.read('a')).toEqual([
      {
        name: 'x.test',
        verdict: 'allow',
        firstAt: 1000,
        lastAt: 2000,
        count: 2,
        addresses: ['192.0.2.2', '192.0.2.1'],
      },
      { name: 'x.test', verdict: 'deny', firstAt: 2000, lastAt: 2000, count: 1, addresses: [] },
    ]);
  });

  it('keeps the newest 500 of each sprite, and few addresses of each name', async () => {
    const { log, note, time, written } = fixture();
    for (let index = 0; index < 700; index += 1) {
      time.now += 1;
      note(`n${index}.test`, { addresses: Array.from({ length: 100 }, (_, last) => `192.0.2.${last}`) });
    }
    await log.flush();
    for (let index = 700; index < 900; index += 1) {
      time.now += 1;
      note(`n${index}.test`);
    }
    const records = await log.read('a');
    expect(records).toHaveLength(500);
    expect([records[0]?.name, records[499]?.name]).toEqual(['n899.test', 'n400.test']);
    expect(records[499]?.addresses).toHaveLength(16);
    await log.flush();
    expect(written.get('a')).toHaveLength(500);
  });
});
