import type { IncomingMessage, ServerResponse } from 'node:http';
import { SpriteError } from '@sprites/contract/errors';
import { formatExitFrame, type OutputStreamId, parseExecCommand, streamIds } from '@sprites/contract/exec';
import type { SessionClient } from '../sessions/audience.ts';
import type { Session } from '../sessions/session.ts';
import type { SessionTable } from '../sessions/session-table.ts';

/** The JS client takes each piece it reads for one frame, so frames must be small and stay apart. Spec section 7. */
const largestFrameBytes = 4096;
const betweenFramesMs = 4;
/** Output that waits to be framed; beyond it the command waits. */
const largestWaitingBytes = 64 * 1024;
/** An empty stdout frame is a sign of life. */
const keepAliveMs = 15_000;

/** Runs a command without a terminal: the body is its input, the answer is a stream of frames. */
export function serveHttpExec(
  request: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
  sessions: SessionTable,
): void {
  const command = parseExecCommand(query);
  if (command.tty) throw new SpriteError('invalid_request', 'bad tty "true": a terminal needs a websocket');
  const session = sessions.start(command);
  response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Cache-Control': 'no-store' });
  response.flushHeaders();
  const client = new HttpExecClient(session, response);
  response.on('close', () => client.leave());
  response.on('error', () => client.leave());
  session.join(client);
  session.start();
  feed(request, session);
}

function feed(request: IncomingMessage, session: Session): void {
  request.on('data', (bytes: Buffer) => {
    if (!session.write(bytes, () => request.resume())) request.pause();
  });
  request.on('end', () => session.endInput());
  request.on('error', () => session.endInput());
}

/** A stretch of output of one stream that waits to be framed. */
type Waiting = { readonly stream: OutputStreamId; bytes: Buffer };

/** The one client of an HTTP exec: frames of at most 4 KiB, at least 4 ms apart, output merged while it waits. */
class HttpExecClient implements SessionClient {
  readonly #session: Session;
  readonly #response: ServerResponse;
  readonly #keepAlive: NodeJS.Timeout;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #exitCode: number | undefined;
  /** whether a frame is being written or the pause after it runs */
  #pacing = false;
  /** whether the session waits for us */
  #held = false;
  #left = false;

  constructor(session: Session, response: ServerResponse) {
    this.#session = session;
    this.#response = response;
    this.#keepAlive = setInterval(() => this.#sendKeepAlive(), keepAliveMs);
  }

  output(stream: OutputStreamId, buffer: Buffer, start: number, end: number): boolean {
    const bytes = Buffer.from(buffer.subarray(start, end));
    const last = this.#waiting.at(-1);
    if (last?.stream === stream) last.bytes = Buffer.concat([last.bytes, bytes]);
    else this.#waiting.push({ stream, bytes });
    this.#waitingBytes += bytes.length;
    this.#sendNext();
    this.#held = this.#waitingBytes > largestWaitingBytes;
    return !this.#held;
  }

  finished(exitCode: number): void {
    this.#exitCode = exitCode;
    this.#sendNext();
  }

  leave(): void {
    this.#left = true;
    clearInterval(this.#keepAlive);
    this.#session.leave(this);
  }

  #sendNext(): void {
    if (this.#pacing || this.#left) return;
    const next = this.#waiting[0];
    if (next !== undefined) this.#write(this.#takeFrame(next));
    else if (this.#exitCode !== undefined) this.#response.end(formatExitFrame(this.#exitCode));
  }

  #takeFrame(next: Waiting): Buffer {
    const payload = next.bytes.subarray(0, largestFrameBytes - 1);
    next.bytes = next.bytes.subarray(payload.length);
    if (next.bytes.length === 0) this.#waiting.shift();
    this.#waitingBytes -= payload.length;
    return Buffer.concat([Buffer.of(next.stream), payload]);
  }

  /** The pause begins when the frame has left, so a slow reader does not find two at once. */
  #write(frame: Buffer): void {
    this.#pacing = true;
    this.#response.write(frame, () => {
      setTimeout(() => {
        this.#pacing = false;
        this.#letGo();
        this.#sendNext();
      }, betweenFramesMs);
    });
  }

  #letGo(): void {
    if (!this.#held || this.#waitingBytes > largestWaitingBytes) return;
    this.#held = false;
    this.#session.sent(this);
  }

  #sendKeepAlive(): void {
    if (!this.#pacing) this.#write(Buffer.of(streamIds.stdout));
  }
}
