import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { SpriteError } from '@sprites/contract';
import type { Clock } from '@sprites/core';
import { connectUnix, isAlive, mount, type ProcessIdentity } from '@sprites/linux';
import type { MachineDir } from './run-dir.ts';

/** Where the directory of the agent's socket is inside a machine whose agent makes the socket itself. */
export const guestSocketDir = '/.sprite/run';
/** The socket's path inside. */
export const guestSocketPath = `${guestSocketDir}/agent.sock`;

const oPath = 0o10000000;
const mostPollMs = 50;
const reachTimeoutMs = 30_000;

/** Mounts the directory shared with the machine: its own small file system, so that a guest cannot fill the host's. */
export async function mountSocketDir(machine: MachineDir, firstId: number): Promise<void> {
  await mkdir(machine.socketDir);
  await mount({
    source: 'tmpfs',
    target: machine.socketDir,
    type: 'tmpfs',
    flags: ['nosuid', 'nodev', 'noexec'],
    data: `size=16k,nr_inodes=16,mode=700,uid=${firstId},gid=${firstId}`,
  });
}

/**
 * Begins to connect to the socket the agent made. The guest owns the directory and may have put a link there, so the
 * name is opened without following and the connection goes to what was opened. Throws when it is no socket.
 */
export function connectGuestSocket(machine: MachineDir, netnsFd: number): Socket {
  const fd = openSync(machine.guestSocket, oPath | constants.O_NOFOLLOW);
  try {
    if (!fstatSync(fd).isSocket()) throw new Error('the agent put something else in the place of its socket');
    // Node's connect has used the path before it returns.
    return connectUnix(`/proc/self/fd/${fd}`, netnsFd);
  } finally {
    closeSync(fd);
  }
}

export type ReachOptions = {
  readonly machine: MachineDir;
  readonly netnsFd: number;
  /** process that ends with the machine */
  readonly init: ProcessIdentity;
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

/** Resolves when the agent listens. Rejects when the machine ends first. */
export async function waitForGuestSocket({
  machine,
  netnsFd,
  init,
  clock,
  signal,
}: ReachOptions): Promise<void> {
  const deadline = clock.now() + reachTimeoutMs;
  for (let pauseMs = 2; !(await listens(machine, netnsFd)); pauseMs = Math.min(pauseMs * 2, mostPollMs)) {
    signal.throwIfAborted();
    if (!isAlive(init)) throw new SpriteError('wake_failed', 'the machine ended before its agent listened');
    if (clock.now() > deadline) throw new SpriteError('wake_failed', 'the agent made no socket');
    await clock.sleep(pauseMs, signal);
  }
}

function listens(machine: MachineDir, netnsFd: number): Promise<boolean> {
  return new Promise((resolve) => {
    let socket: Socket;
    try {
      socket = connectGuestSocket(machine, netnsFd);
    } catch {
      // not there yet
      resolve(false);
      return;
    }
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
