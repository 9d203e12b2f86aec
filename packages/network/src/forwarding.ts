import { readFileSync, writeFileSync } from 'node:fs';
import { listBaseChains, listInetTables, loadNft } from '@sprites/linux';

const setting = '/proc/sys/net/ipv4/ip_forward';

/** An empty table that says: forwarding was off before a sprites server came. It vanishes with a reboot, as the setting does. */
const note = 'sprites_enabled_ip_forward';

/** Lets the host forward IPv4 packets, and remembers when that was a change. */
export async function enableForwarding(signal: AbortSignal): Promise<void> {
  // Synchronous on purpose: these files belong to the network namespace of the thread that opens them.
  if (readFileSync(setting, 'latin1').trim() !== '0') return;
  await loadNft(`add table inet ${note}\n`, signal);
  writeFileSync(setting, '1');
}

/** Undoes `enableForwarding` when the last sprites server leaves and nobody else on the host has come to rely on it. */
export async function restoreForwarding(): Promise<void> {
  const tables = await listInetTables();
  if (!tables.includes(note) || tables.some((table) => /^sprites_[0-9a-f]{8}$/.test(table))) return;
  const chains = await listBaseChains();
  if (!chains.some((chain) => chain.hook === 'forward')) writeFileSync(setting, '0');
  await loadNft(`delete table inet ${note}\n`);
}
