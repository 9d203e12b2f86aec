import { libc } from './libc.ts';

const doNotWait = 1;
const setChildSubreaper = 36;

/**
 * Reaps the agent's children and tells each one's owner how it ended. A pid stays reserved until its exit is
 * told, so signals sent before cannot hit a stranger.
 */
export class ChildExits {
  readonly #owners = new Map<number, (exitCode: number) => void>();
  readonly #status = Buffer.alloc(4);

  /** Starts listening; `close` ends it. Children whose parent ends become the agent's, also where it is not the first process. */
  constructor() {
    libc.prctl(setChildSubreaper, 1n, 0n, 0n, 0n);
    process.on('SIGCHLD', this.#reap);
  }

  /** Calls `onExit` once with the exit code, 128 + n for signal n. Must be called in the turn of the spawn. */
  watch(pid: number, onExit: (exitCode: number) => void): void {
    this.#owners.set(pid, onExit);
  }

  close(): void {
    process.off('SIGCHLD', this.#reap);
  }

  readonly #reap = (): void => {
    for (;;) {
      const pid = libc.waitpid(-1, this.#status, doNotWait);
      if (pid <= 0) return;
      const owner = this.#owners.get(pid);
      this.#owners.delete(pid);
      owner?.(toExitCode(this.#status.readInt32LE(0)));
    }
  };
}

function toExitCode(status: number): number {
  const signal = status & 0x7f;
  return signal === 0 ? (status >> 8) & 0xff : 128 + signal;
}
