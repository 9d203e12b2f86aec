import { Socket, type SocketConstructorOpts } from 'node:net';

/** Free bytes before each chunk, where a client may write its frame header. */
export const headroomBytes = 16;
/** The largest chunk; with a stream id it fills a frame of 32 KiB. */
export const chunkBytes = 32 * 1024 - 1;

/** Most commands say little, and hundreds may run at once. */
const firstChunkBytes = 4 * 1024;
const discardPauseMs = 20;
/** A buffer, and its part after the headroom, which is read into. */
type Space = { readonly buffer: Buffer; readonly view: Buffer };

const spare: Space[] = [];
const largestSpareCount = 8;

/** What becomes of output. `onChunk` gets bytes `start` to `end` of `buffer` and says whether to go on reading. */
export type OutputConsumer = {
  onChunk(buffer: Buffer, start: number, end: number): boolean;
  onEnd(): void;
};

/** Makes the socket to read from; it must pass the options on. */
export type OpenOutput = (options: SocketConstructorOpts) => { readonly socket: Socket; readonly fd: number };

/**
 * Reads a pipe or terminal into one buffer, used again for each chunk: after `onChunk` said no, the buffer
 * belongs to the consumer until it calls `resume`. The buffer is small until a chunk fills it.
 */
export class OutputReader {
  #space = createSpace(firstChunkBytes);
  readonly #consumer: OutputConsumer;
  readonly socket: Socket;
  readonly #fd: number;
  #ended = false;
  #discarding = false;

  constructor(open: OpenOutput, consumer: OutputConsumer) {
    this.#consumer = consumer;
    const onread = { buffer: () => this.#space.view, callback: this.#onRead };
    // Node starts to read in the constructor unless told otherwise by this option of its own servers.
    const options: SocketConstructorOpts & { readonly pauseOnCreate: boolean } = {
      onread,
      pauseOnCreate: true,
    };
    const { socket, fd } = open(options);
    this.socket = socket;
    this.#fd = fd;
    this.socket.on('error', this.#onEnd);
    this.socket.on('end', this.#onEnd);
    this.socket.on('close', this.#onEnd);
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** the descriptor behind the socket; undefined once it is closed */
  get fd(): number | undefined {
    return this.#ended ? undefined : this.#fd;
  }

  /** Starts or goes on reading. */
  resume(): void {
    if (!this.#ended) this.socket.resume();
  }

  /**
   * Ends reading for the consumer. What others still write, such as a background process, is read slowly and
   * thrown away, since it would die of SIGPIPE otherwise.
   */
  discard(): void {
    if (this.#ended) return;
    this.#discarding = true;
    this.socket.resume();
  }

  readonly #onRead = (byteCount: number): boolean => {
    const { buffer } = this.#space;
    const end = headroomBytes + byteCount;
    if (end === buffer.length && byteCount < chunkBytes) this.#space = spare.pop() ?? createSpace(chunkBytes);
    if (!this.#discarding) return this.#consumer.onChunk(buffer, headroomBytes, end);
    setTimeout(() => this.resume(), discardPauseMs).unref();
    return false;
  };

  /** A terminal ends with an error, EIO, and that is no news. */
  readonly #onEnd = (): void => {
    if (this.#ended) return;
    this.#ended = true;
    this.socket.destroy();
    const isLarge = this.#space.view.length === chunkBytes;
    if (isLarge && spare.length < largestSpareCount) spare.push(this.#space);
    if (!this.#discarding) this.#consumer.onEnd();
  };
}

function createSpace(byteCount: number): Space {
  const buffer = Buffer.allocUnsafeSlow(headroomBytes + byteCount);
  return { buffer, view: buffer.subarray(headroomBytes) };
}

/** Wraps our end of an output pipe; the socket owns the descriptor from then on. */
export function openPipeSocket(fd: number): OpenOutput {
  return (options) => ({ socket: new Socket({ ...options, fd, readable: true, writable: false }), fd });
}
