import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { identifyProcess, isAlive } from './process.ts';
import { hasCode } from './syscall.ts';

const setting = '/sys/kernel/rcu_expedited';
/** Names the process that has the setting on; like the setting it does not outlive the kernel. */
const owner = '/run/sprites-quick-grace-periods';

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

/** Puts the setting back where a process that was killed in the middle has left it on. */
export async function repairGracePeriods(): Promise<void> {
  await withQuickGracePeriods(async () => {
    // what begins takes over what is left, and puts it back at its end
  });
}

function begin(): void {
  users++;
  if (users > 1) return;
  try {
    if (readFileSync(setting, 'utf8').trim() !== '0' && !isLeftOn()) return;
    // before the setting: whoever finds the setting on must find whose it is
    writeFileSync(owner, JSON.stringify(identifyProcess(process.pid)), { mode: 0o600 });
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
  rmSync(owner, { force: true });
}

/** True when the setting is on because of a process that is not there any more. */
function isLeftOn(): boolean {
  try {
    const { pid, startTicks } = JSON.parse(readFileSync(owner, 'utf8'));
    return !isAlive({ pid, startTicks });
  } catch (error) {
    // not one of ours; or one died before it had written its name, and so before it changed anything
    if (hasCode(error, 'ENOENT') || error instanceof SyntaxError) return false;
    throw error;
  }
}
