import { setImmediate as turn } from 'node:timers/promises';
import { asUser, findOwnUser, findUser, type User } from '../../kernel/user.ts';

/** How long an operation works before others get their turn. */
const longestSliceMs = 5;

/** What an operation works with. */
export type OperationContext = {
  readonly signal: AbortSignal;
  /** Runs a synchronous action with the rights of the sprite's user, or as root when the client asked for that. */
  readonly act: <T>(asRoot: boolean, action: () => T) => T;
  /** the account operations are done as */
  readonly user: () => User;
};

/** `account` is the name of the sprite's user; without it in the sprite, operations run as the agent's own. */
export function createContext(account: string, signal: AbortSignal): OperationContext {
  const user = (): User => findUser(account) ?? findOwnUser();
  return { signal, act: (asRoot, action) => (asRoot ? action() : asUser(user(), action)), user };
}

/** Lets other operations run from time to time, and ends this one when it was stopped. */
export class Pace {
  readonly #signal: AbortSignal;
  #sinceMs = performance.now();

  constructor({ signal }: OperationContext) {
    this.#signal = signal;
  }

  get isDue(): boolean {
    return performance.now() - this.#sinceMs > longestSliceMs;
  }

  /** Call it between two slices. */
  async rest(): Promise<void> {
    this.#signal.throwIfAborted();
    if (!this.isDue) return;
    await turn();
    this.#signal.throwIfAborted();
    this.#sinceMs = performance.now();
  }
}
