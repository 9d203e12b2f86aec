import type { HostMemory, PoolDeps } from './machine-pool.ts';

const mebibyte = 1024 ** 2;
/** Memory that must be left for others before a machine is made that nobody waits for, in bytes. */
const leastForAnother = 512 * mebibyte;
/** Below this machines that nobody uses are ended, in bytes. */
const leastForAny = 256 * mebibyte;

/** True while the host can afford machines that nobody uses. */
export function mayKeepMachines({ availableBytes, totalBytes }: HostMemory): boolean {
  return availableBytes >= Math.max(leastForAny, totalBytes / 20);
}

/** True when memory, disk and slots suffice for one more machine that nobody waits for. */
export async function mayAddMachine({ memory, disks, store, network, settings }: PoolDeps): Promise<boolean> {
  const { availableBytes, totalBytes } = await memory();
  if (availableBytes < Math.max(leastForAnother, totalBytes / 10)) return false;
  const taken = (await store.listAllSprites()).length + (await store.listPooled()).length;
  if (taken >= Math.min(network.capacity, settings.maxSprites)) return false;
  return disks.ensureSpace().then(
    () => true,
    () => false,
  );
}
