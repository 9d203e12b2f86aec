import type { Duplex } from 'node:stream';
import { SpriteError } from '@sprites/contract/errors';
import {
  type GuestMessage,
  type HostMessage,
  type InsideRequest,
  largestLinkMessageBytes,
  mostInsideRequests,
  parseHostMessage,
} from '@sprites/contract/link';
import { notFound, type Resource, upgradeRequired } from '../http/resource.ts';
import { WebSocket } from '../sockets/web-socket.ts';
import type { ActivityBoard } from './activity.ts';

/** Hears the pieces of an answer from outside; `end` or `fail` is the last, `fail` also when the link ends. */
export type AnswerListener = (message: HostMessage) => void;

/** The server's end of the agent: one WebSocket at a time, by which the sprite tells of itself and asks for things outside. */
export class Link {
  readonly #board: ActivityBoard;
  readonly #open = new Map<number, AnswerListener>();
  #socket: WebSocket | undefined;
  #nextId = 1;
  #telling = false;

  constructor(board: ActivityBoard) {
    this.#board = board;
  }

  /** `/v1/link`, for the host only. */
  get resource(): Resource {
    return {
      answer: ({ origin, path }) => {
        throw origin === 'host' && path.length === 0 ? upgradeRequired('link') : notFound('link', path);
      },
      upgrade: ({ socket, path, origin, accept }) => {
        if (origin !== 'host' || path.length > 0) throw notFound('link', path);
        accept();
        this.#take(socket);
      },
    };
  }

  /**
   * Asks for something outside and gives the answer's pieces to `listener`. Answers a function that ends the interest in it.
   * Throws `unavailable` while there is no server, and when too much is asked at once.
   */
  ask(request: Omit<InsideRequest, 'id'>, listener: AnswerListener): () => void {
    if (this.#socket === undefined)
      throw new SpriteError('unavailable', 'the server is not connected with this sprite; try again');
    if (this.#open.size >= mostInsideRequests)
      throw new SpriteError('unavailable', `${mostInsideRequests} requests are open already; try again`);
    const id = this.#nextId++;
    this.#open.set(id, listener);
    this.#send({ type: 'request', request: { ...request, id } });
    return () => {
      if (this.#open.delete(id)) this.#send({ type: 'cancel', id });
    };
  }

  #take(socket: Duplex): void {
    this.#socket?.close(1000, 'another link has taken over');
    this.#drop();
    const taken = new WebSocket(
      socket,
      {
        onBinary: () => {},
        onText: (text) => this.#hear(text),
        onSent: () => {},
        onClosed: () => {
          if (this.#socket === taken) this.#drop();
        },
      },
      largestLinkMessageBytes,
    );
    this.#socket = taken;
    this.#board.listen(() => this.#tellSoon());
    this.#tell();
  }

  #drop(): void {
    this.#socket = undefined;
    this.#board.listen(undefined);
    const listeners = [...this.#open];
    this.#open.clear();
    for (const [id, listener] of listeners) listener({ type: 'fail', id });
  }

  #hear(text: string): void {
    const message = parseHostMessage(text);
    if (message === undefined) return;
    const listener = this.#open.get(message.id);
    if (message.type === 'end' || message.type === 'fail') this.#open.delete(message.id);
    listener?.(message);
  }

  /** What changes within one turn of the loop is told once. */
  #tellSoon(): void {
    if (this.#telling) return;
    this.#telling = true;
    setImmediate(() => {
      this.#telling = false;
      this.#tell();
    });
  }

  #tell(): void {
    if (this.#socket !== undefined) this.#send({ type: 'activity', activity: this.#board.read() });
  }

  #send(message: GuestMessage): void {
    this.#socket?.sendJson(message);
  }
}
