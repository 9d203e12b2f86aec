import { z } from 'zod';
import {
  Checkpoint,
  CheckpointLine,
  CheckpointListQuery,
  CreateCheckpoint,
  RestoreCheckpoint,
  VerifyCheckpoints,
} from '../checkpoint.ts';
import { DiffLine, DiffQuery } from '../diff.ts';
import { defineEndpoint, type Endpoint } from '../endpoint.ts';
import { aboutSprite } from './error-codes.ts';

/** Saved disks. Spec section 13. */
export const checkpointsEndpoints = {
  /** 13.2 */
  createCheckpoint: defineEndpoint({
    id: 'createCheckpoint',
    method: 'POST',
    path: '/v1/sprites/{name}/checkpoint',
    tag: 'checkpoints',
    summary: 'Save the disk of a sprite while everything in it goes on',
    body: CreateCheckpoint,
    answers: [{ type: 'ndjson', status: 200, line: CheckpointLine }],
    errors: ['invalid_request', 'operation_in_progress', ...aboutSprite],
    authenticated: true,
    inside: true,
  }),
  /** 13.3 */
  listCheckpoints: defineEndpoint({
    id: 'listCheckpoints',
    method: 'GET',
    path: '/v1/sprites/{name}/checkpoints',
    tag: 'checkpoints',
    summary: 'The live disk as `Current`, then the checkpoints, newest first; never wakes the sprite',
    query: CheckpointListQuery,
    answers: [{ type: 'json', status: 200, schema: z.array(Checkpoint) }],
    errors: aboutSprite,
    authenticated: true,
    inside: true,
  }),
  /** 13.4 */
  getCheckpoint: defineEndpoint({
    id: 'getCheckpoint',
    method: 'GET',
    path: '/v1/sprites/{name}/checkpoints/{checkpoint}',
    tag: 'checkpoints',
    summary: 'Get a checkpoint',
    answers: [{ type: 'json', status: 200, schema: Checkpoint }],
    errors: ['checkpoint_not_found', ...aboutSprite],
    authenticated: true,
    inside: true,
  }),
  /** 13.5 */
  restoreCheckpoint: defineEndpoint({
    id: 'restoreCheckpoint',
    method: 'POST',
    path: '/v1/sprites/{name}/checkpoints/{checkpoint}/restore',
    tag: 'checkpoints',
    summary: 'Put a saved disk in place of the present one',
    description:
      'The present disk is saved first. When the sprite does not come up with the saved disk, the present one is put back and the stream ends with an `error` line. With `paths` only these are put back, into the running sprite, which is woken and not restarted.',
    body: RestoreCheckpoint,
    answers: [{ type: 'ndjson', status: 200, line: CheckpointLine }],
    errors: [
      'invalid_request',
      'checkpoint_not_found',
      'path_not_found',
      'not_supported',
      'checkpoint_damaged',
      'operation_in_progress',
      'out_of_space',
      ...aboutSprite,
    ],
    authenticated: true,
    inside: true,
  }),
  verifyCheckpoints: defineEndpoint({
    id: 'verifyCheckpoints',
    method: 'POST',
    path: '/v1/sprites/{name}/checkpoints/verify',
    tag: 'checkpoints',
    summary: 'Compare checkpoints with the checksums made when they were new; never wakes the sprite',
    description:
      'Reads all of them from the disk, slowly. The stream has a line for each, and ends with `error` (`checkpoint_damaged`) naming those that are damaged.',
    body: VerifyCheckpoints,
    answers: [{ type: 'ndjson', status: 200, line: CheckpointLine }],
    errors: ['invalid_request', 'checkpoint_not_found', ...aboutSprite],
    authenticated: true,
  }),
  /** 13.6 */
  deleteCheckpoint: defineEndpoint({
    id: 'deleteCheckpoint',
    method: 'DELETE',
    path: '/v1/sprites/{name}/checkpoints/{checkpoint}',
    tag: 'checkpoints',
    summary: 'Delete a checkpoint; not the one the sprite is based on',
    answers: [{ type: 'empty', status: 204 }],
    errors: ['checkpoint_not_found', 'checkpoint_in_use', 'operation_in_progress', ...aboutSprite],
    authenticated: true,
    inside: true,
  }),
  /** ours */
  diffCheckpoints: defineEndpoint({
    id: 'diffCheckpoints',
    method: 'GET',
    path: '/v1/sprites/{name}/checkpoints/{checkpoint}/diff/{other}',
    tag: 'checkpoints',
    summary: 'How the files of two disks differ; either may be `Current`; never wakes the sprite',
    description:
      'A `change` line per path, in byte order, and `complete` with the totals; with `patch` the text of a unified diff in pieces.',
    query: DiffQuery,
    answers: [{ type: 'ndjson', status: 200, line: DiffLine }],
    errors: [
      'invalid_request',
      'checkpoint_not_found',
      'checkpoint_damaged',
      'path_not_found',
      'not_text',
      'operation_in_progress',
      'out_of_space',
      ...aboutSprite,
    ],
    authenticated: true,
    inside: true,
  }),
} as const satisfies Record<string, Endpoint>;
