import { closeSync, openSync } from 'node:fs';
import type { Socket } from 'node:net';
import { SpriteError } from '@sprites/contract';
import type { PortTarget } from '@sprites/core';
import { connectLoopback, hasCode, isAlive, netnsPath } from '@sprites/linux';
import type { MachineState } from './machine-state.ts';

/**
 * Connects to a port on the loopback of a running machine, by IPv4 or, where nobody listens there, IPv6. Throws
 * `port_unreachable` when nobody listens or there is no machine, or the signal's reason.
 */
export async function connectPort(
  running: Promise<MachineState | undefined>,
  target: PortTarget,
  signal: AbortSignal,
): Promise<Socket> {
  const init = (await running)?.init;
  if (init === undefined) throw new SpriteError('port_unreachable', 'the sprite has no running machine');
  const netnsFd = openSync(netnsPath(init.pid), 'r');
  try {
    // the number could be another process's by now
    if (!isAlive(init)) throw new SpriteError('port_unreachable', 'the machine has ended');
    return await connectLoopback({ ...target, netnsFd, family: 4 }, signal).catch((error: unknown) => {
      if (!hasCode(error, 'ECONNREFUSED')) throw error;
      return connectLoopback({ ...target, netnsFd, family: 6 }, signal);
    });
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof SpriteError) throw cause;
    throw new SpriteError('port_unreachable', `nothing answers on port ${target.port} of the sprite`, {
      cause,
    });
  } finally {
    closeSync(netnsFd);
  }
}
