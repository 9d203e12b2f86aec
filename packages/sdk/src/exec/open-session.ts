import type { SpawnOptions } from '../options.ts';
import type { Sprite } from '../sprite.ts';
import { openDirectSession } from './direct-session.ts';
import type { CommandLine } from './query.ts';
import type { Session, SessionListener } from './session.ts';

/** Starts a command the way its options and the server allow. */
export async function openSession(
  sprite: Sprite,
  command: CommandLine,
  options: SpawnOptions,
  listener: SessionListener,
): Promise<Session> {
  const wantsControl = options.controlMode ?? sprite.client.controlMode;
  if (wantsControl && options.sessionId === undefined) {
    const session = await sprite.control.start(command, options, listener);
    if (session !== undefined) return session;
  }
  return openDirectSession(sprite, command, options, listener);
}
