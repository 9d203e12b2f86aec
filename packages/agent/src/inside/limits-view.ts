import { open, readFile } from 'node:fs/promises';
import { libc, toCString } from '../kernel/libc.ts';

const lookEveryMs = 10_000;
const detach = 2;
const noFollow = 8;

/**
 * Takes away the files that show this machine its own limits when the host's program behind them has died: those of the
 * kernel below show the host's, and reading is better than failing.
 */
export async function watchLimitsView(): Promise<void> {
  const targets = await findTargets();
  const [first] = targets;
  if (first === undefined) return;
  let isLooking = false;
  const timer = setInterval(async () => {
    // a look that hangs is over when the program behind is killed
    if (isLooking) return;
    isLooking = true;
    const answers = await doesAnswer(first);
    isLooking = false;
    if (answers) return;
    clearInterval(timer);
    for (const target of targets) libc.umount2(toCString(target), detach | noFollow);
    console.error('the view of the own limits is gone');
  }, lookEveryMs);
  timer.unref();
}

/** Mount points of files of an lxcfs. */
async function findTargets(): Promise<readonly string[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return text
    .split('\n')
    .flatMap((line) => (line.includes(' - fuse.lxcfs ') ? (line.split(' ')[4] ?? []) : []));
}

/** Anything but a dead program behind it, such as no memory, says nothing of the view. */
async function doesAnswer(path: string): Promise<boolean> {
  try {
    await (await open(path, 'r')).close();
    return true;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ENOTCONN');
  }
}
