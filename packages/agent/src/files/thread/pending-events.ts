import type { FileEvent } from '@sprites/contract/files';
import { type BytePath, toText } from './byte-path.ts';

/** How long events are gathered, so that many of one kind become one. */
const gatherMs = 50;
const mostEvents = 5000;

type EventKind = Extract<FileEvent, { type: 'event' }>['event'];
type Pending = {
  readonly shown: BytePath;
  readonly path: BytePath;
  readonly event: EventKind;
  readonly atMs: number;
};
type Describe = (path: BytePath) => { readonly size?: number; readonly isDir?: boolean };

/** Events on their way to a client: gathered for a moment, each kind once for a path, and never more than some thousand. */
export class PendingEvents {
  readonly #signal: AbortSignal;
  readonly #describe: Describe;
  #pending = new Map<string, Pending>();
  #problems: FileEvent[] = [];
  #wake = Promise.withResolvers<void>();

  /** `describe` tells what is at a path when its event is given out. */
  constructor(signal: AbortSignal, describe: Describe) {
    this.#signal = signal;
    this.#describe = describe;
    signal.addEventListener('abort', () => this.#wake.resolve(), { once: true });
  }

  add(shown: BytePath, path: BytePath, event: EventKind): void {
    if (this.#pending.size >= mostEvents) {
      this.overflow();
      return;
    }
    const key = `${event} ${shown}`;
    // The order is that of the last of its kind: what was removed and made again is there.
    this.#pending.delete(key);
    this.#pending.set(key, { shown, path, event, atMs: Date.now() });
    this.#wake.resolve();
  }

  /** Changes were lost, here or in the kernel: the client must look again. */
  overflow(): void {
    this.#pending.clear();
    const isTold = this.#problems.some((one) => one.type === 'error' && one.code === 'overflow');
    if (isTold) return;
    this.#problems.push({
      type: 'error',
      code: 'overflow',
      message: 'too many changes at once; some were not told of, so look again at what you watch',
    });
    this.#wake.resolve();
  }

  fail(message: string): void {
    this.#problems.push({ type: 'error', message });
    this.#wake.resolve();
  }

  /** What has come, after a moment in which it may become more; nothing when it was stopped. */
  async take(): Promise<readonly FileEvent[]> {
    await this.#wake.promise;
    if (this.#signal.aborted) return [];
    await new Promise((resolve) => setTimeout(resolve, gatherMs));
    const problems = this.#problems.splice(0);
    const pending = [...this.#pending.values()];
    this.#pending = new Map();
    this.#wake = Promise.withResolvers<void>();
    if (this.#signal.aborted) this.#wake.resolve();
    return [...problems, ...pending.map((one) => this.#toEvent(one))];
  }

  #toEvent({ shown, path, event, atMs }: Pending): FileEvent {
    const timestamp = new Date(atMs).toISOString();
    return { type: 'event', path: toText(shown), event, timestamp, ...this.#describe(path) };
  }
}
