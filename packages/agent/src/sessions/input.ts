import { closeSync } from 'node:fs';
import { Socket } from 'node:net';

/** Input that waits for the program; beyond it the client is not read any more. */
const largestWaitingBytes = 256 * 1024;

/**
 * The program's standard input: a pipe, or the terminal's socket. Input after the end, or after the program
 * closed its side, is dropped silently.
 */
export class SessionInput {
  readonly #terminal: Socket | undefined;
  #fd: number | undefined;
  #pipe: Socket | undefined;
  #ending = false;

  private constructor(terminal: Socket | undefined, fd: number | undefined) {
    this.#terminal = terminal;
    this.#fd = fd;
  }

  static ofTerminal(socket: Socket): SessionInput {
    return new SessionInput(socket, undefined);
  }

  /** Takes the descriptor over; without one the program has no input and all of it is dropped. */
  static ofPipe(fd: number | undefined): SessionInput {
    return new SessionInput(undefined, fd);
  }

  /**
   * Writes input; `onRoom` is called when false was returned and there is room again, or the input has
   * closed. `bytes` must not be changed afterwards.
   */
  write(bytes: Buffer, onRoom: () => void): boolean {
    const socket = this.#terminal ?? this.#openPipe();
    if (socket === undefined || socket.destroyed || this.#ending) return true;
    socket.write(bytes);
    if (socket.writableLength <= largestWaitingBytes) return true;
    const done = (): void => {
      socket.off('drain', done);
      socket.off('close', done);
      onRoom();
    };
    socket.on('drain', done);
    socket.on('close', done);
    return false;
  }

  /** Ends a pipe once what was written is through; a terminal has no end of input. */
  end(): void {
    if (this.#terminal !== undefined || this.#ending) return;
    this.#ending = true;
    if (this.#pipe !== undefined) this.#pipe.end();
    else this.#closeFd();
  }

  /** Gives everything up at once. */
  close(): void {
    this.#ending = true;
    this.#pipe?.destroy();
    this.#closeFd();
  }

  /** Most commands get no input, and a socket costs more than a descriptor. */
  #openPipe(): Socket | undefined {
    const fd = this.#fd;
    if (fd === undefined) return this.#pipe;
    this.#fd = undefined;
    this.#pipe = new Socket({ fd, readable: false, writable: true });
    // The program may close its input at any time; what it did not read is dropped.
    this.#pipe.on('error', () => this.#pipe?.destroy());
    return this.#pipe;
  }

  #closeFd(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
