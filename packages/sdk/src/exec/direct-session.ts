import { endpoints, formatStdinEofFrame, formatStdinFrame } from '@sprites/contract';
import { ConnectionError } from '../errors.ts';
import { endpointURL } from '../http/request.ts';
import type { SpawnOptions } from '../options.ts';
import type { Socket } from '../socket/socket.ts';
import { openWsSocket } from '../socket/ws-socket.ts';
import type { Sprite } from '../sprite.ts';
import { FrameReader } from './frames.ts';
import { attachQuery, type CommandLine, execQuery } from './query.ts';
import type { Session, SessionListener } from './session.ts';

/** Starts a command, or attaches to a session, over a WebSocket of its own. */
export async function openDirectSession(
  sprite: Sprite,
  command: CommandLine,
  options: SpawnOptions,
  listener: SessionListener,
): Promise<Session> {
  const attached = options.sessionId !== undefined;
  const reader = new FrameReader(options.tty ?? attached, listener);
  let socket: Socket | undefined;
  let paused = false;
  let finished = false;

  const finish = (): void => {
    if (finished || reader.exitCode === undefined) return;
    finished = true;
    listener.exit(reader.exitCode);
    socket?.close(1000);
  };
  const take = (data: Uint8Array): void => {
    if (finished || reader.binary(data)) return;
    paused = true;
    socket?.pause();
  };

  socket = await openWsSocket(
    { url: sessionURL(sprite, command, options), token: sprite.client.token, signal: options.signal },
    {
      text: (text) => {
        if (finished) return;
        reader.text(text);
        finish();
      },
      binary: (data) => {
        take(data);
        finish();
      },
      close: (code, reason) => {
        if (finished) return;
        finished = true;
        listener.lost(closedEarly(code, reason));
      },
    },
  );
  // output that came in the same packet as the upgrade
  if (paused) socket.pause();
  if (finished) socket.close(1000);
  return new DirectSession(socket, reader, attached, () => {
    finished = true;
  });
}

class DirectSession implements Session {
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  readonly #onClose: () => void;
  readonly #attached: boolean;

  constructor(socket: Socket, reader: FrameReader, attached: boolean, onClose: () => void) {
    this.#socket = socket;
    this.#reader = reader;
    this.#attached = attached;
    this.#onClose = onClose;
  }

  write(data: Uint8Array, done: (error?: Error | null) => void): void {
    this.#socket.send(this.#reader.tty ? data : formatStdinFrame(data), done);
  }

  end(done: (error?: Error | null) => void): void {
    if (this.#reader.tty) {
      done();
      return;
    }
    // servers take a lone end as the first frame of an attach for a client's habit, not for a wish
    if (this.#attached) this.#socket.send(formatStdinFrame(new Uint8Array(0)));
    this.#socket.send(formatStdinEofFrame(), done);
  }

  tell(message: { readonly type: string }): void {
    this.#socket.send(JSON.stringify(message));
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#onClose();
    this.#socket.close(1000);
  }
}

function sessionURL(sprite: Sprite, command: CommandLine, options: SpawnOptions): URL {
  const { baseURL } = sprite.client;
  const { sessionId } = options;
  if (sessionId === undefined) {
    return endpointURL(baseURL, endpoints.exec, { name: sprite.name }, execQuery(command, options));
  }
  const params = { name: sprite.name, session_id: sessionId };
  return endpointURL(baseURL, endpoints.attach, params, attachQuery(options));
}

function closedEarly(code: number, reason: string): ConnectionError {
  const why = reason === '' ? `code ${code}` : `code ${code}: ${reason}`;
  return new ConnectionError('closed', `the connection ended before the exit status arrived (${why})`);
}
