import type { FileErrorCode } from '@sprites/contract/files';
import type { operations } from './thread/operations.ts';

export type Operations = typeof operations;
export type OperationName = keyof Operations;
export type InputOf<N extends OperationName> = Parameters<Operations[N]>[0];
export type PieceOf<N extends OperationName> =
  ReturnType<Operations[N]> extends AsyncGenerator<infer Piece, unknown, infer _> ? Piece : never;

/** What the agent tells the file thread. A job gives a piece for each `next`, so it never runs ahead of its asker. */
export type Order =
  | {
      readonly type: 'start';
      readonly id: number;
      readonly operation: OperationName;
      readonly input: unknown;
    }
  | { readonly type: 'next'; readonly id: number; readonly value?: unknown }
  | { readonly type: 'stop'; readonly id: number };

/** What the thread answers, once for each `next`. */
export type Reply =
  | { readonly type: 'piece'; readonly id: number; readonly piece: unknown }
  | { readonly type: 'end'; readonly id: number }
  | { readonly type: 'failed'; readonly id: number; readonly failure: Failure };

/** An error on its way between threads; without a code it was not expected. */
export type Failure = {
  readonly code: FileErrorCode | undefined;
  readonly path: string;
  readonly message: string;
};
