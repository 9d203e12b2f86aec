import type { SpriteDeps } from '../sprites/deps.ts';
import type { Storage } from '../storage/storage.ts';
import type { InsideCheckpoints } from './inside.ts';
import type { Operations } from './operations.ts';
import type { Verifier } from './verifier.ts';

/** What the verbs on checkpoints work with. */
export type CheckpointDeps = SpriteDeps & {
  readonly operations: Operations;
  readonly verifier: Verifier;
  readonly inside: InsideCheckpoints;
  readonly storage: Storage;
};

/** Names a sprite of an org. */
export type SpriteKey = { readonly orgId: string; readonly name: string };

/** Hears what a long operation is doing, in words for the user. */
export type Report = (text: string) => void;
