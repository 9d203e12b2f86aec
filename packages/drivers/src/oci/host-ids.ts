import { SpriteError } from '@sprites/contract';
import { idsPerMachine } from './bundle.ts';

/** Ids no system account, container engine or directory service gives out. */
const defaultUidBase = 0x7000_0000;

/** Host id of the root of the machine in this slot; its other ids follow. Throws `unavailable` when they are used up. */
export function firstIdOf(slot: number, uidBase = defaultUidBase): number {
  const firstId = uidBase + slot * idsPerMachine;
  if (firstId + idsPerMachine <= 0xffff_ffff) return firstId;
  throw new SpriteError('unavailable', `slot ${slot} is beyond the host's user ids; delete unused sprites`);
}
