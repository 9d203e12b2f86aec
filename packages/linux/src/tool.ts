import { spawn } from 'node:child_process';

const defaultOutputLimitBytes = 1024 * 1024;
const tailLimitBytes = 16 * 1024;

export type ToolOptions = {
  readonly signal?: AbortSignal | undefined;
  readonly cwd?: string | undefined;
  /** replaces the environment; the server's own by default */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** text or an open file for standard input; nothing by default */
  readonly input?: string | { readonly fd: number } | undefined;
  /** how much of the end of the output is kept; 1 MiB by default */
  readonly outputLimitBytes?: number | undefined;
  /** called with each line of standard output and standard error */
  readonly onLine?: ((line: string) => void) | undefined;
};

/** A tool that ended badly; the message names the tool and carries the end of what it said. */
export class ToolError extends Error {
  readonly tool: string;
  readonly exitCode: number | undefined;
  readonly tail: string;

  constructor(tool: string, exitCode: number | undefined, tail: string, cause?: unknown) {
    const how = exitCode === undefined ? 'could not run' : `ended with status ${exitCode}`;
    super(`${tool} ${how}${tail === '' ? '' : `: ${tail.slice(-600)}`}`, { cause });
    this.name = 'ToolError';
    this.tool = tool;
    this.exitCode = exitCode;
    this.tail = tail;
  }
}

/**
 * Runs a program of the host to its end and returns its standard output (at most the last 1 MiB, unless told otherwise).
 * Throws ToolError when it fails; an abort kills it and rejects with the signal's reason.
 */
export async function runTool(
  argv: readonly [string, ...string[]],
  options: ToolOptions = {},
): Promise<string> {
  const [program, ...args] = argv;
  options.signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const stdin =
    typeof options.input === 'object' ? options.input.fd : options.input === undefined ? 'ignore' : 'pipe';
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: options.env,
    signal: options.signal,
    killSignal: 'SIGKILL',
    stdio: [stdin, 'pipe', 'pipe'],
  });
  const output = new Tail(options.outputLimitBytes ?? defaultOutputLimitBytes);
  const errors = new Tail(tailLimitBytes);
  const lines = [new Lines(options.onLine), new Lines(options.onLine)] as const;
  child.stdout?.on('data', (chunk: Buffer) => lines[0].push(output.push(chunk)));
  child.stderr?.on('data', (chunk: Buffer) => lines[1].push(errors.push(chunk)));
  // A tool that ends without reading its input is judged by its exit status, not by the broken pipe.
  child.stdin?.on('error', () => undefined);
  if (typeof options.input === 'string') child.stdin?.end(options.input);
  let failure: unknown;
  child.on('error', (error) => {
    failure = error;
    if (child.pid === undefined) reject(new ToolError(program, undefined, error.message, error));
  });
  child.on('close', (code) => {
    for (const each of lines) each.end();
    if (options.signal?.aborted) reject(options.signal.reason);
    else if (code === 0) resolve(output.text());
    else reject(new ToolError(program, code ?? 137, errors.text().trim(), failure));
  });
  return promise;
}

/** Keeps the last bytes of a stream. */
class Tail {
  readonly #limit: number;
  #chunks: Buffer[] = [];
  #size = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  push(chunk: Buffer): Buffer {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    while (this.#size - (this.#chunks[0]?.length ?? 0) >= this.#limit) {
      this.#size -= this.#chunks.shift()?.length ?? 0;
    }
    return chunk;
  }

  text(): string {
    return Buffer.concat(this.#chunks).subarray(-this.#limit).toString('utf8');
  }
}

/** Cuts a stream into lines of at most 4096 characters. */
class Lines {
  readonly #onLine: ((line: string) => void) | undefined;
  #rest = '';

  constructor(onLine: ((line: string) => void) | undefined) {
    this.#onLine = onLine;
  }

  push(chunk: Buffer): void {
    if (this.#onLine === undefined) return;
    const parts = (this.#rest + chunk.toString('utf8')).split(/[\r\n]+/);
    this.#rest = (parts.pop() ?? '').slice(-4096);
    for (const part of parts) if (part !== '') this.#onLine(part.slice(0, 4096));
  }

  end(): void {
    if (this.#rest !== '') this.#onLine?.(this.#rest);
    this.#rest = '';
  }
}
