import { lstatSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import type { FileEvent, WatchedPath } from '@sprites/contract/files';
import { type Change, changes, Inotify, WatchError } from '../../kernel/inotify.ts';
import { type BytePath, join, toBytes, toKernel, toText } from './byte-path.ts';
import type { OperationContext } from './context.ts';
import { Directory } from './directory.ts';
import { PendingEvents } from './pending-events.ts';

/** Each directory of a tree takes a watch of the kernel's. */
const mostDirectories = 20_000;

export type WatchInput = { readonly paths: readonly WatchedPath[]; readonly recursive: boolean };

/** What a watch of the kernel's is on: the path for us, and the one for clients. */
type Watched = { readonly path: BytePath; readonly shown: BytePath; readonly isDirectory: boolean };

/** Follows what changes at or below paths, some events at a time, until it is stopped. */
export async function* watch(
  input: WatchInput,
  context: OperationContext,
): AsyncGenerator<readonly FileEvent[]> {
  const watching = new Watching(input, context);
  try {
    yield watching.begin();
    while (!context.signal.aborted) yield await watching.take();
  } finally {
    watching.close();
  }
}

class Watching {
  readonly #input: WatchInput;
  readonly #context: OperationContext;
  readonly #inotify: Inotify;
  readonly #watched = new Map<number, Watched>();
  readonly #events: PendingEvents;
  #isFull = false;

  constructor(input: WatchInput, context: OperationContext) {
    this.#input = input;
    this.#context = context;
    this.#events = new PendingEvents(context.signal, (path) => this.#describe(path));
    this.#inotify = new Inotify((list) => this.#act(() => this.#takeChanges(list)));
  }

  /** Begins to watch; what cannot be watched is told of. */
  begin(): readonly FileEvent[] {
    const problems = this.#input.paths.flatMap(({ given, path }) => {
      const problem = this.#act(() => this.#addTop(toBytes(path), toBytes(given)));
      return problem === undefined ? [] : [problem];
    });
    return [...problems, { type: 'subscribed', paths: this.#input.paths.map(({ given }) => given) }];
  }

  take(): Promise<readonly FileEvent[]> {
    return this.#events.take();
  }

  close(): void {
    this.#inotify.close();
  }

  #addTop(path: BytePath, shown: BytePath): FileEvent | undefined {
    try {
      const isDirectory = statSync(toKernel(path)).isDirectory();
      this.#watched.set(this.#inotify.add(toKernel(path)), { path, shown, isDirectory });
      if (isDirectory && this.#input.recursive) this.#addTree(Directory.open(path), shown, false);
      return undefined;
    } catch (error) {
      return { type: 'error', message: `${toText(shown)}: ${describeFailure(error)}` };
    }
  }

  /** Watches what is in a directory; with `isNew` all that is there already is told of as created. */
  #addTree(top: Directory, shownTop: BytePath, isNew: boolean): void {
    const open: { readonly directory: Directory; readonly shown: BytePath }[] = [
      { directory: top, shown: shownTop },
    ];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const { directory, shown } = next;
      try {
        const reader = directory.readNames();
        const names = reader.take(Number.POSITIVE_INFINITY);
        reader.close();
        for (const name of names) {
          if (isNew) this.#events.add(join(shown, name), join(directory.path, name), 'create');
          if (directory.describe(name)?.isDirectory() !== true) continue;
          const child = this.#addDirectory(directory, name, join(shown, name));
          if (child !== undefined) open.push({ directory: child, shown: join(shown, name) });
        }
      } catch {
        // It is gone again, or must not be read: then there is nothing to tell of it.
      } finally {
        directory.close();
      }
    }
  }

  #addDirectory(parent: Directory, name: BytePath, shown: BytePath): Directory | undefined {
    if (this.#isFull) return undefined;
    if (this.#watched.size >= mostDirectories) {
      this.#fill(`more than ${mostDirectories} directories; not all are watched`);
      return undefined;
    }
    let directory: Directory | undefined;
    try {
      directory = parent.openChild(name);
      const watched = this.#inotify.add(toKernel(`/proc/self/fd/${directory.fd}`));
      this.#watched.set(watched, { path: directory.path, shown, isDirectory: true });
      return directory;
    } catch (error) {
      directory?.close();
      if (error instanceof WatchError && error.errno === constants.errno.ENOSPC)
        this.#fill(describeFailure(error));
      return undefined;
    }
  }

  #fill(problem: string): void {
    this.#isFull = true;
    this.#events.fail(problem);
  }

  #takeChanges(list: readonly Change[]): void {
    for (const change of list) {
      if ((change.mask & changes.overflow) !== 0) this.#events.overflow();
      else this.#takeChange(change);
    }
  }

  #takeChange({ watch: number, mask, name }: Change): void {
    const watched = this.#watched.get(number);
    if (watched === undefined) return;
    if ((mask & changes.ignored) !== 0) {
      this.#watched.delete(number);
      return;
    }
    const path = name === '' ? watched.path : join(watched.path, name);
    const shown = name === '' ? watched.shown : join(watched.shown, name);
    // A directory in a watched one is told of by that one.
    if (name === '' && this.#isInside(watched)) return;
    const event = toEvent(mask);
    if (event !== undefined) this.#events.add(shown, path, event);
    if (name !== '' && this.#input.recursive && (mask & changes.isDirectory) !== 0)
      this.#followDirectory(watched, name, mask);
  }

  #isInside({ path }: Watched): boolean {
    return !this.#input.paths.some((one) => toBytes(one.path) === path);
  }

  #followDirectory(parent: Watched, name: BytePath, mask: number): void {
    const path = join(parent.path, name);
    if ((mask & changes.movedFrom) !== 0) this.#forget(path);
    if ((mask & (changes.create | changes.movedTo)) === 0) return;
    const shown = join(parent.shown, name);
    let above: Directory | undefined;
    try {
      above = Directory.open(parent.path);
      const directory = this.#addDirectory(above, name, shown);
      if (directory !== undefined) this.#addTree(directory, shown, true);
    } catch {
      // The directory above is gone already, which has its own event.
    } finally {
      above?.close();
    }
  }

  /** A directory that was moved away takes its watches along; elsewhere they are not wanted. */
  #forget(path: BytePath): void {
    for (const [number, watched] of this.#watched) {
      if (watched.path !== path && !watched.path.startsWith(`${path}/`)) continue;
      this.#watched.delete(number);
      this.#inotify.remove(number);
    }
  }

  #describe(path: BytePath): { readonly size?: number; readonly isDir?: boolean } {
    const stats = this.#act(() => lstatSync(toKernel(path), { throwIfNoEntry: false }));
    return stats === undefined ? {} : { size: stats.size, isDir: stats.isDirectory() };
  }

  #act<T>(action: () => T): T {
    return this.#context.act(false, action);
  }
}

function toEvent(mask: number): 'write' | 'create' | 'remove' | 'rename' | 'chmod' | undefined {
  if ((mask & (changes.create | changes.movedTo)) !== 0) return 'create';
  if ((mask & changes.modify) !== 0) return 'write';
  if ((mask & (changes.remove | changes.removeSelf)) !== 0) return 'remove';
  if ((mask & (changes.movedFrom | changes.moveSelf)) !== 0) return 'rename';
  return (mask & changes.attributes) === 0 ? undefined : 'chmod';
}

function describeFailure(error: unknown): string {
  if (error instanceof WatchError) {
    if (error.errno === constants.errno.ENOSPC) return 'the limit of watches is reached; not all is watched';
    if (error.errno === constants.errno.EACCES) return 'permission denied';
    if (error.errno === constants.errno.ENOENT) return 'no such file or directory';
  }
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'no such file or directory';
  return code === 'EACCES' ? 'permission denied' : 'it cannot be watched';
}
