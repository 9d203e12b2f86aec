import type { MachineSpec } from '@sprites/core';
import { describe, expect, it } from 'vitest';
import { type DriverFixture, describeDriver } from '../conformance.ts';
import { MemoryDriver } from './driver.ts';

function createSpec(n: number): MachineSpec {
  return {
    spriteId: `sprite_${n}`,
    incarnation: 1,
    hostname: `box-${n}`,
    slot: n,
    diskFile: `/disks/${n}`,
    imageFile: '/images/test',
    imageDigest: 'sha256:00',
    limits: { cpus: 1, memoryBytes: 1024, maxProcesses: 10 },
    environment: {},
    resolvConf: '',
  };
}

describeDriver('MemoryDriver', async (): Promise<DriverFixture> => {
  const driver = new MemoryDriver();
  return {
    driver,
    spec: async (n) => createSpec(n),
    die: async (spriteId) => driver.die(spriteId),
    [Symbol.asyncDispose]: async () => undefined,
  };
});

describe('MemoryDriver', () => {
  it('hangs and fails as planned, and keeps a log', async () => {
    const driver = new MemoryDriver();
    driver.planStart({ type: 'fail', error: new Error('broken') });
    driver.planStart({ type: 'hang' });
    const plug = async (): Promise<void> => undefined;
    await expect(driver.start(createSpec(1), plug, AbortSignal.timeout(1000))).rejects.toThrow('broken');
    const abort = new AbortController();
    const hanging = driver.start(createSpec(1), plug, abort.signal);
    abort.abort(new Error('enough'));
    await expect(hanging).rejects.toThrow('enough');
    await driver.start(createSpec(1), plug, AbortSignal.timeout(1000));
    expect(driver.log).toEqual(['start sprite_1', 'start sprite_1', 'start sprite_1']);
  });

  it('closes open streams when the machine dies', async () => {
    const driver = new MemoryDriver();
    await driver.start(createSpec(1), async () => undefined, AbortSignal.timeout(1000));
    const stream = await driver.dial('sprite_1', AbortSignal.timeout(1000));
    driver.die('sprite_1');
    expect(stream.destroyed).toBe(true);
  });
});
