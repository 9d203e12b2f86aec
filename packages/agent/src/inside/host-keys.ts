import { closeSync, constants, existsSync, lstatSync, openSync, rmSync } from 'node:fs';
import type { ChildExits } from '../kernel/child-exits.ts';
import { withProgramOomScore } from '../kernel/oom-score.ts';
import { spawnProgram } from '../kernel/spawn.ts';

/** The server leaves it where it removed the SSH host keys of a new sprite, as they were another's. */
const note = '/etc/ssh/ssh_host_keys.wanted';
const program = '/usr/bin/ssh-keygen';
/** Longest time that services wait for the keys, in `ms`. */
const patienceMs = 20_000;

/** Makes new SSH host keys where the server removed those of another sprite; resolves when that is done or cannot be. */
export async function renewHostKeys(exits: ChildExits): Promise<void> {
  if (!isFile(note) || !existsSync(program)) return;
  try {
    const exitCode = await run(exits);
    if (exitCode === 0) rmSync(note, { force: true });
    else console.error(`ssh-keygen -A ended with ${exitCode}; there may be no SSH host keys`);
  } catch (error) {
    // a full or broken disk: the next start tries again
    console.error('SSH host keys could not be made:', error);
  }
}

async function run(exits: ChildExits): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const nothing = openSync('/dev/null', constants.O_RDWR);
  const timer = setTimeout(() => resolve(-1), patienceMs);
  try {
    const stdio = { type: 'pipes', stdin: nothing, stdout: nothing, stderr: nothing } as const;
    const env = ['PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root'];
    const argv = ['ssh-keygen', '-A'];
    const outcome = withProgramOomScore(() => spawnProgram({ file: program, argv, env, dir: '/', stdio }));
    if (outcome.type === 'failed') throw new Error(`errno ${outcome.errno}`);
    exits.watch(outcome.pid, resolve);
    return await promise;
  } finally {
    clearTimeout(timer);
    closeSync(nothing);
  }
}

function isFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
