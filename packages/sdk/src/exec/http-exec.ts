import { endpoints } from '@sprites/contract';
import { ConnectionError } from '../errors.ts';
import { request, type Server } from '../http/request.ts';
import type { ExecResult, HTTPExecOptions, Output, OutputEncoding } from '../options.ts';
import { StreamID } from './frames.ts';
import { OutputBuffer, toResult } from './output.ts';
import { commandQuery } from './query.ts';

/**
 * Runs a command over plain HTTP, where no WebSocket can pass. Each piece of the answer is one frame (spec section 7),
 * so a middleman that joins or splits pieces breaks it; that is noticed and reported, not guessed at.
 */
export async function execFileHTTP<E extends OutputEncoding = 'utf8'>(
  server: Server,
  name: string,
  file: string,
  args: readonly string[],
  options: HTTPExecOptions<E>,
): Promise<ExecResult<Output<E>>> {
  const query = commandQuery({ file, args }, options);
  const bytes = toBytes(options.input);
  if (bytes !== undefined) query.set('stdin', 'true');
  const response = await request(server, endpoints.httpExec, {
    params: { name },
    query,
    ...(bytes === undefined ? {} : { bytes }),
    accept: 'application/octet-stream',
    signal: options.signal,
    timeoutMs: options.timeout ?? 0,
  });
  const stdout = new OutputBuffer('stdout', options.maxBuffer);
  const stderr = new OutputBuffer('stderr', options.maxBuffer);
  const code = await readFrames(response, stdout, stderr);
  // the default of E is `utf8`
  return toResult(stdout, stderr, code, options.encoding ?? ('utf8' as E));
}

async function readFrames(response: Response, stdout: OutputBuffer, stderr: OutputBuffer): Promise<number> {
  if (response.body === null) throw new ConnectionError('protocol', 'the answer has no body');
  let exitCode: number | undefined;
  const reader = response.body.getReader();
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      if (piece.value.length > 0) exitCode = readFrame(piece.value, stdout, stderr) ?? exitCode;
    }
  } finally {
    // the stream may have failed already, and nobody is left to hear of it
    await reader.cancel().catch(() => undefined);
  }
  if (exitCode === undefined) {
    throw new ConnectionError('closed', 'the answer ended before the exit status arrived');
  }
  return exitCode;
}

function readFrame(frame: Uint8Array, stdout: OutputBuffer, stderr: OutputBuffer): number | undefined {
  switch (frame[0]) {
    case StreamID.Stdout:
      stdout.push(frame.subarray(1));
      return undefined;
    case StreamID.Stderr:
      stderr.push(frame.subarray(1));
      return undefined;
    case StreamID.Exit:
      if (frame.length === 2) return frame[1];
      throw rechunked(`exit frame of ${frame.length} bytes`);
    default:
      throw rechunked(`frame type ${frame[0]}`);
  }
}

function rechunked(what: string): ConnectionError {
  return new ConnectionError(
    'protocol',
    `${what}: something on the way joins or splits the pieces of the answer; use exec over a WebSocket`,
  );
}

function toBytes(input: string | Uint8Array | undefined): Uint8Array<ArrayBuffer> | undefined {
  if (input === undefined) return undefined;
  return typeof input === 'string' ? new TextEncoder().encode(input) : new Uint8Array(input);
}
