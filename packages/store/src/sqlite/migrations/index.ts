import type { Migration } from 'kysely/migration';
import { orgsTokensSprites } from './0001-orgs-tokens-sprites.ts';
import { checkpoints } from './0002-checkpoints.ts';
import { lifecycle } from './0003-lifecycle.ts';
import { pooled } from './0004-pooled.ts';
import { checkpointCare } from './0005-checkpoint-care.ts';
import { policies } from './0007-policies.ts';

/** Schema changes in the order of their names; portable SQL only, and never changed once released. */
export const migrations: Readonly<Record<string, Migration>> = {
  '0001-orgs-tokens-sprites': orgsTokensSprites,
  '0002-checkpoints': checkpoints,
  '0003-lifecycle': lifecycle,
  '0004-pooled': pooled,
  '0005-checkpoint-care': checkpointCare,
  '0007-policies': policies,
};
