import { streamIds } from '@sprites/contract/exec';
import { WebSocket } from 'ws';

/** Everything a client saw on an exec socket. */
export type ExecResult = {
  readonly stdout: string;
  readonly stderr: string;
  /** all binary messages joined; the output of a terminal */
  readonly raw: Buffer;
  readonly texts: readonly Readonly<Record<string, unknown>>[];
  /** from the exit frame; undefined on a terminal */
  readonly frameExitCode: number | undefined;
  /** from the text message */
  readonly exitCode: number | undefined;
  readonly closeCode: number;
};

/** A client of an exec socket that keeps what it receives. */
export class ExecConnection {
  readonly socket: WebSocket;
  readonly messages: Buffer[] = [];
  readonly texts: Readonly<Record<string, unknown>>[] = [];
  readonly #closed: Promise<number>;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) this.messages.push(data);
      else this.texts.push(JSON.parse(data.toString().replace(/^control:/, '')));
    });
    this.#closed = new Promise((resolve) => {
      socket.on('close', resolve);
    });
  }

  /** Opens a connection to `target`, a path with its query; rejects with status and body when it is refused. */
  static async open(
    socketPath: string,
    target: string,
    headers: Record<string, string> = {},
  ): Promise<ExecConnection> {
    const socket = new WebSocket(`ws+unix:${socketPath}:${target}`, { perMessageDeflate: true, headers });
    const connection = new ExecConnection(socket);
    await new Promise<void>((resolve, reject) => {
      socket.on('open', resolve);
      socket.on('error', reject);
      socket.on('unexpected-response', (_, response) => {
        let body = '';
        response.on('data', (bytes: Buffer) => {
          body += bytes;
        });
        response.on('end', () => reject(new Error(`${response.statusCode} ${body}`)));
      });
    });
    return connection;
  }

  /** Sends input for a command without a terminal. */
  write(text: string): void {
    this.socket.send(Buffer.concat([Buffer.of(streamIds.stdin), Buffer.from(text)]));
  }

  endInput(): void {
    this.socket.send(Buffer.of(streamIds.stdinEof));
  }

  sendJson(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  /** Bytes of stdout or stderr received so far. */
  output(stream: number): Buffer {
    return Buffer.concat(
      this.messages.filter((message) => message[0] === stream).map((message) => message.subarray(1)),
    );
  }

  /** Resolves when what was received so far satisfies `isDone`, or the connection has ended. */
  async until(isDone: (connection: ExecConnection) => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      const check = (): void => {
        if (!isDone(this) && this.socket.readyState !== WebSocket.CLOSED) return;
        this.socket.off('message', check);
        this.socket.off('close', check);
        resolve();
      };
      this.socket.on('message', check);
      this.socket.on('close', check);
      check();
    });
  }

  async sessionId(): Promise<string> {
    await this.until(({ texts }) => texts.length > 0);
    return String(this.texts[0]?.session_id);
  }

  /** Waits for the end and tells all that was seen. */
  async result(): Promise<ExecResult> {
    const closeCode = await this.#closed;
    const exit = this.texts.find((text) => text.type === 'exit');
    const frame = this.messages.find((message) => message[0] === streamIds.exit && message.length === 2);
    return {
      stdout: this.output(streamIds.stdout).toString(),
      stderr: this.output(streamIds.stderr).toString(),
      raw: Buffer.concat(this.messages),
      texts: this.texts,
      frameExitCode: frame?.[1],
      exitCode: exit === undefined ? undefined : Number(exit.exit_code),
      closeCode,
    };
  }
}

/** Runs a command over a socket of its own to its end. */
export async function runOverSocket(socketPath: string, query: URLSearchParams): Promise<ExecResult> {
  return await (await ExecConnection.open(socketPath, `/v1/exec?${query}`)).result();
}
