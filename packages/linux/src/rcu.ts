import { readFileSync, writeFileSync } from 'node:fs';
import { hasCode } from './syscall.ts';

const setting = '/sys/kernel/rcu_expedited';

let users = 0;
let isOurs = false;

/**
 * Runs work that waits for RCU grace periods of the kernel, such as a freeze or an unmount, with each of them taking
 * about one millisecond instead of twelve. The setting is the host's: it costs all processors an interrupt per grace
 * period, so it is put back after the work, and left alone where somebody else has it on or it cannot be changed.
 */
export async function withQuickGracePeriods<T>(work: () => Promise<T>): Promise<T> {
  begin();
  try {
    return await work();
  } finally {
    end();
  }
}

function begin(): void {
  users++;
  if (users > 1) return;
  try {
    if (readFileSync(setting, 'utf8').trim() !== '0') return;
    writeFileSync(setting, '1');
    isOurs = true;
  } catch (error) {
    // a container whose /sys is read-only, or a kernel without the setting
    if (!hasCode(error, 'ENOENT', 'EROFS', 'EACCES', 'EPERM')) throw error;
  }
}

function end(): void {
  users--;
  if (users > 0 || !isOurs) return;
  isOurs = false;
  writeFileSync(setting, '0');
}
