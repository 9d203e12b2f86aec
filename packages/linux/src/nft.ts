import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { runTool } from './tool.ts';

const errorLimitBytes = 64 * 1024;

/** A base chain of the host's firewall. */
export type BaseChain = {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly type: string;
  readonly hook: string;
  readonly policy: string;
};

/** A change that nft refused; the message is nft's own. */
export class NftError extends Error {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = 'NftError';
  }
}

/** Loads a script as one transaction by a process of its own: for whole tables. */
export async function loadNft(script: string, signal?: AbortSignal): Promise<void> {
  await runTool(['nft', '-f', '-'], { input: script, signal });
}

/** Every base chain of the host. */
export async function listBaseChains(signal?: AbortSignal): Promise<readonly BaseChain[]> {
  const output: unknown = JSON.parse(await runTool(['nft', '-j', 'list', 'chains'], { signal }));
  return nftObjects(output, 'chain').flatMap((chain) => {
    if (typeof chain.hook !== 'string') return [];
    const text = (key: string): string => (typeof chain[key] === 'string' ? chain[key] : '');
    return [
      {
        family: text('family'),
        table: text('table'),
        name: text('name'),
        type: text('type'),
        hook: text('hook'),
        policy: text('policy'),
      },
    ];
  });
}

/** Names of the tables of family `inet`. */
export async function listInetTables(signal?: AbortSignal): Promise<readonly string[]> {
  const output: unknown = JSON.parse(await runTool(['nft', '-j', 'list', 'tables', 'inet'], { signal }));
  return nftObjects(output, 'table').flatMap((table) => (typeof table.name === 'string' ? [table.name] : []));
}

/**
 * One resident `nft -i`, so that a change costs a millisecond instead of a fork. It starts with the first change and
 * again after it has died; the change under way at that moment is rejected, and the caller cannot know whether it happened.
 */
export class Nft {
  #process: ChildProcessWithoutNullStreams | undefined;
  #waiting: { resolve: () => void; reject: (error: Error) => void; marker: string } | undefined;
  #errors = '';
  #count = 0;
  #tail: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** Applies the commands as one transaction, after those already asked for. */
  change(commands: readonly string[]): Promise<void> {
    const line = commands.join('; ');
    if (line.includes('\n')) throw new Error('an nft command must be one line');
    const done = this.#tail.then(() => this.#run(line));
    this.#tail = done.catch(() => undefined);
    return done;
  }

  /** Ends the process; the rules stay. */
  close(): void {
    this.#closed = true;
    this.#process?.kill('SIGKILL');
  }

  #run(line: string): Promise<void> {
    if (this.#closed) return Promise.reject(new NftError('nft is closed'));
    const child = this.#process ?? this.#start();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // nft says nothing when a change succeeds. A word it does not know makes it complain on the same stream as errors do,
    // and quote the word on a line of its own: that is the end of this change's messages.
    const marker = `end_of_change_${++this.#count}`;
    this.#errors = '';
    this.#waiting = { resolve, reject, marker };
    child.stdin.write(`${line}\n${marker}\n`);
    return promise;
  }

  #start(): ChildProcessWithoutNullStreams {
    const child = spawn('nft', ['-i'], {
      stdio: 'pipe',
      // in a session of its own, or the Ctrl-C meant for the server would end it first
      detached: true,
      env: { ...process.env, TERM: 'dumb', HOME: '/nonexistent' },
    });
    const gone = (cause?: unknown): void => {
      if (this.#process !== child) return;
      this.#process = undefined;
      this.#waiting?.reject(new NftError('nft ended in the middle of a change', { cause }));
      this.#waiting = undefined;
    };
    child.on('error', gone);
    child.on('close', () => gone());
    child.stdin.on('error', () => undefined);
    child.stdout.resume();
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => this.#hear(chunk));
    this.#process = child;
    return child;
  }

  #hear(chunk: string): void {
    this.#errors = (this.#errors + chunk).slice(-errorLimitBytes);
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    const end = this.#errors.indexOf(`\n${waiting.marker}\n`);
    if (end === -1) return;
    this.#waiting = undefined;
    const errors = this.#errors.slice(0, this.#errors.lastIndexOf('Error:', end)).trim();
    if (errors.includes('Error:'))
      waiting.reject(new NftError(`nft refused a change: ${errors.slice(0, 1000)}`));
    else waiting.resolve();
  }
}

/**
 * Calls back whenever the table of family `inet` has been deleted, also by a flush of the whole ruleset or as part of its
 * replacement. Resolves with a function that ends the watch; a watch that ends by itself calls `onEnd`.
 */
export async function watchNftTable(
  table: string,
  onDelete: () => void,
  onEnd: () => void,
): Promise<() => void> {
  // Unlike `nft -i`, a monitor does not notice that its reader is gone, so the kernel ends it with this process.
  const argv = ['--pdeathsig', 'KILL', 'nft', 'monitor', 'destroy', 'tables'];
  // in a session of its own, or the Ctrl-C meant for the server would end it first
  const child = spawn('setpriv', argv, { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
  await once(child, 'spawn');
  child.on('close', onEnd);
  createInterface(child.stdout).on('line', (line) => {
    if (line === `delete table inet ${table}`) onDelete();
  });
  return () => {
    child.off('close', onEnd);
    child.kill('SIGKILL');
  };
}

/** Objects of one kind in what `nft -j` says. */
export function nftObjects(output: unknown, kind: string): readonly Record<string, unknown>[] {
  if (typeof output !== 'object' || output === null || !('nftables' in output)) return [];
  const list = output.nftables;
  if (!Array.isArray(list)) return [];
  return list.flatMap((each: unknown) => {
    if (typeof each !== 'object' || each === null) return [];
    const value: unknown = Object.entries(each).find(([key]) => key === kind)?.[1];
    return isRecord(value) ? [value] : [];
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
