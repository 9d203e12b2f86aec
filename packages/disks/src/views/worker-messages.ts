import type { ErrorCode, PathChange } from '@sprites/contract';
import type { Bytes, Layers } from './layered-tree.ts';

/** What a worker is given to do. */
export type Task = {
  readonly kind: 'compare' | 'patch';
  readonly before: Layers;
  readonly after: Layers;
  readonly path: readonly Bytes[];
  readonly quietBeforeNs: bigint;
};

/** What a worker says; the last message is `done` or `failed`. */
export type Message =
  | { readonly type: 'changes'; readonly changes: readonly PathChange[] }
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'failed'; readonly code: ErrorCode | undefined; readonly message: string }
  | { readonly type: 'done' };

/** A worker with so many messages under way, counted in memory it shares, stands still until one is read. */
export const mostWaiting = 4;
