import type { CheckpointDeps } from '../checkpoints/deps.ts';
import type { Archives } from '../ports/archives.ts';

/** What moving sprites between servers works with. */
export type TransferDeps = CheckpointDeps & { readonly archives: Archives };
