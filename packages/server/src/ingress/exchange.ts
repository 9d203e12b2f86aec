import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Splice } from '../sockets/splice.ts';
import { splice } from '../sockets/splice.ts';
import { type BodyReader, createBodyReader } from './http1/body.ts';
import {
  type Framing,
  frameResponse,
  HttpSyntaxError,
  listOf,
  parseResponseHead,
  type RequestHead,
  type ResponseHead,
} from './http1/head.ts';
import { HeadBuffer } from './http1/head-buffer.ts';
import { writeResponseHead } from './rewrite.ts';
import type { Upstream, UpstreamUser } from './upstreams.ts';

/** Longest head of a sprite's answer, in bytes. */
const mostHeadBytes = 128 * 1024;
/** Most interim answers, such as 103, before the real one. */
const mostInterim = 8;

export type ExchangeOptions = {
  readonly client: Duplex;
  readonly request: RequestHead;
  readonly isWebSocket: boolean;
  /** true when the client will not use the connection again */
  readonly isLast: boolean;
  readonly ourCookies: ReadonlySet<string>;
  readonly onEnd: (end: ExchangeEnd) => void;
};

/** How an exchange ended. */
export type ExchangeEnd =
  /** the answer was passed on whole; `reusable` says whether the connections can serve another request */
  | {
      readonly type: 'answered';
      readonly status: number;
      readonly upstreamReusable: boolean;
      readonly clientReusable: boolean;
    }
  /** nothing of the answer has reached the client */
  | { readonly type: 'failed'; readonly reason: string; readonly isSilent: boolean }
  /** part of an answer has reached the client, and no more will */
  | { readonly type: 'cut' }
  | { readonly type: 'tunnel'; readonly tunnel: Splice };

/** One request's answer on its way from a program in a sprite to the client. */
export class Exchange implements UpstreamUser {
  readonly #options: ExchangeOptions;
  readonly #upstream: Upstream;
  readonly #head = new HeadBuffer(mostHeadBytes);
  #body: BodyReader | undefined;
  #upstreamReusable = false;
  #clientReusable = false;
  #untilClose = false;
  #status = 0;
  #interim = 0;
  #begun = false;
  #ended = false;

  constructor(upstream: Upstream, options: ExchangeOptions) {
    this.#upstream = upstream;
    this.#options = options;
    upstream.use(this);
  }

  get upstream(): Upstream {
    return this.#upstream;
  }

  /** True once the real answer's head has come. */
  get isAnswering(): boolean {
    return this.#body !== undefined;
  }

  data(bytes: Buffer): void {
    if (this.#ended) return;
    try {
      if (this.#body === undefined) this.#readHead(bytes);
      else this.#readBody(bytes, '');
    } catch (error) {
      if (!(error instanceof HttpSyntaxError)) throw error;
      this.#fail(error.message);
    }
  }

  drain(): void {
    // the client's side of the connection looks after its own uploads
    this.#options.client.resume();
  }

  ended(): void {
    if (this.#ended) return;
    if (this.#untilClose) this.#finish();
    else this.#fail('the program ended the connection');
  }

  /** The client takes more. */
  resume(): void {
    this.#upstream.stream.resume();
  }

  /** Gives up; the answer will not be passed on any further. */
  abort(reason: string): void {
    this.#fail(reason);
  }

  #readHead(bytes: Buffer): void {
    let piece = bytes;
    for (;;) {
      const whole = this.#head.add(piece);
      if (whole === undefined) return;
      const head = parseResponseHead(whole.text);
      if (head.status === 101) {
        this.#tunnel(head, whole.rest);
        return;
      }
      if (head.status >= 200) {
        this.#begin(head, whole.rest);
        return;
      }
      this.#passInterim(head);
      piece = whole.rest;
    }
  }

  #passInterim(head: ResponseHead): void {
    this.#interim++;
    if (this.#interim > mostInterim) throw new HttpSyntaxError('the program sent too many interim answers');
    if (this.#options.request.minor === 0) return;
    this.#options.client.write(this.#write(head, { type: 'none' }, false), 'latin1');
  }

  #begin(head: ResponseHead, rest: Buffer): void {
    const { request } = this.#options;
    const framing = frameResponse(head, request.method);
    this.#untilClose = framing.type === 'until-close';
    const wishes = listOf(head.fields, 'connection');
    const closes = wishes.includes('close');
    const keeps = head.minor === 1 || wishes.includes('keep-alive');
    this.#upstreamReusable = keeps && !closes && !this.#untilClose && request.minor === 1;
    this.#clientReusable = !this.#options.isLast && !this.#untilClose;
    this.#body = createBodyReader(framing);
    this.#begun = true;
    this.#status = head.status;
    this.#readBody(rest, this.#write(head, framing, !this.#clientReusable));
  }

  #write(head: ResponseHead, framing: Framing, isLast: boolean): string {
    const { ourCookies } = this.#options;
    const keepsLength = framing.type === 'none' && head.status >= 200 && head.status !== 204;
    return writeResponseHead(head, { framing, isLast, ourCookies, keepsLength });
  }

  /** Passes on what belongs to the body, behind `before`. */
  #readBody(bytes: Buffer, before: string): void {
    const body = this.#body;
    if (body === undefined) return;
    const end = body.read(bytes, 0);
    // whatever a program sends behind its answer could pass for the next one
    if (end < bytes.length) this.#upstreamReusable = false;
    this.#pass(end === bytes.length ? bytes : bytes.subarray(0, end), before);
    if (body.isDone) this.#finish();
  }

  #pass(bytes: Buffer, before: string): void {
    const { client } = this.#options;
    if (before !== '' && bytes.length < smallBytes) {
      this.#flow(client.write(before + bytes.toString('latin1'), 'latin1'));
      return;
    }
    if (before !== '') {
      client.cork();
      client.write(before, 'latin1');
    }
    this.#flow(client.write(bytes));
    if (before !== '') client.uncork();
    // a socket that has written everything needs the bytes no more; what others do with them cannot be told
    if (!(client instanceof Socket) || client.writableLength > 0) this.#upstream.keepBytes();
  }

  #flow(takesMore: boolean): void {
    if (!takesMore) this.#upstream.stream.pause();
  }

  #tunnel(head: ResponseHead, first: Buffer): void {
    if (!this.#options.isWebSocket)
      throw new HttpSyntaxError('the program changed the protocol without being asked');
    this.#ended = true;
    const { client, onEnd } = this.#options;
    const stream = this.#upstream.detach();
    const kept = this.#write(head, { type: 'none' }, false).slice(0, -2);
    client.write(`${kept}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`, 'latin1');
    onEnd({ type: 'tunnel', tunnel: splice(client, stream, Buffer.from(first)) });
  }

  #finish(): void {
    this.#ended = true;
    const { upstream } = this;
    if (!this.#upstreamReusable || upstream.stream.destroyed) {
      upstream.release();
      upstream.stream.destroy();
    }
    this.#options.onEnd({
      type: 'answered',
      status: this.#status,
      upstreamReusable: this.#upstreamReusable && !upstream.stream.destroyed,
      clientReusable: this.#clientReusable,
    });
  }

  #fail(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    const isSilent = this.#head.isEmpty && this.#interim === 0;
    this.#upstream.release();
    this.#upstream.stream.destroy();
    this.#options.onEnd(this.#begun ? { type: 'cut' } : { type: 'failed', reason, isSilent });
  }
}

/** Up to this size, in bytes, copying a body behind its head is cheaper than a second write. */
const smallBytes = 4096;
