import type { ServerResponse } from 'node:http';
import { renderError } from '@sprites/contract/errors';
import type { ServiceEvent, ServiceLogFiles } from '@sprites/contract/services';
import type { Service, ServiceMoment } from './service.ts';

/** An empty line shows a client that a quiet stream lives. */
const keepAliveMs = 15_000;
/** Moments that wait for a client; a service that changes faster than its client reads loses the oldest. */
const mostMoments = 1000;
/** How long output that is on its way to a slow disk is waited for at the end. */
const lastWaitMs = 2000;
const endLookMs = 50;

/** What a stream tells besides output: everything, or nothing. */
export type StreamOptions = {
  /** position in the log to begin at */
  readonly from: number;
  /** position to end at in any case */
  readonly to?: number;
  /** how long to follow once the work is done, in `ms` */
  readonly followMs: number;
  /** what the client asked for; it goes on when the client leaves */
  readonly work?: () => Promise<void>;
  /** false for output only */
  readonly moments: boolean;
  /** an event to begin with */
  readonly first?: ServiceEvent;
};

/**
 * Streams what a service writes and what happens to it, one JSON event per line, the last one `complete`. It ends when the
 * time is over or the service has ended by itself. Output is read from the log, so a slow client holds up nobody.
 */
export async function streamService(
  response: ServerResponse,
  service: Service,
  options: StreamOptions,
): Promise<void> {
  const stream = new ServiceStream(response, service, options);
  await stream.run();
}

class ServiceStream {
  readonly #response: ServerResponse;
  readonly #service: Service;
  readonly #options: StreamOptions;
  readonly #moments: ServiceMoment[] = [];
  #position: number;
  #lostBytes: number;
  /** when to end; unknown while the work is not done */
  #deadlineMs = Number.POSITIVE_INFINITY;
  /** how far to tell the log, once the end is near, and when to give up waiting for it */
  #end: { readonly position: number; readonly giveUpMs: number } | undefined;
  /** whether the service has ended by itself, or could not be started */
  #isDown = false;
  #gone = false;
  #changed = false;
  #wake: () => void = () => {};

  constructor(response: ServerResponse, service: Service, options: StreamOptions) {
    this.#response = response;
    this.#service = service;
    this.#options = options;
    this.#position = options.from;
    this.#lostBytes = service.log.lostBytes;
  }

  async run(): Promise<void> {
    const { first } = this.#options;
    const response = this.#response;
    const ring = (): void => this.#ring();
    response.writeHead(200, { 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store' });
    response.flushHeaders();
    response.on('drain', ring).on('close', () => {
      this.#gone = true;
      this.#ring();
    });
    const unlisten = [this.#service.log.listen(ring), this.#service.listen((moment) => this.#take(moment))];
    const beat = setInterval(() => response.write('\n'), keepAliveMs);
    try {
      if (first !== undefined) this.#send(first);
      this.#begin();
      await this.#follow();
      this.#send({ type: 'complete', log_files: logFiles(this.#service.name), timestamp: Date.now() });
      response.end();
    } finally {
      clearInterval(beat);
      for (const stop of unlisten) stop();
    }
  }

  #begin(): void {
    const { work, followMs } = this.#options;
    if (work === undefined) {
      this.#deadlineMs = performance.now() + followMs;
      return;
    }
    work().then(
      () => {
        this.#deadlineMs = performance.now() + followMs;
        this.#ring();
      },
      (error: unknown) => {
        const data = renderError(error).body.message;
        this.#deadlineMs = performance.now();
        this.#take({
          event: { type: 'error', data, timestamp: Date.now() },
          position: this.#service.log.end,
        });
      },
    );
  }

  #take(moment: ServiceMoment): void {
    if (!this.#options.moments) return;
    if (this.#moments.length >= mostMoments) this.#moments.shift();
    this.#moments.push(moment);
    this.#ring();
  }

  /** Tells output and moments in the order in which they came, to the end. */
  async #follow(): Promise<void> {
    while (!this.#gone) {
      this.#changed = false;
      this.#tellLoss();
      if (this.#response.writableNeedDrain) await this.#wait(keepAliveMs);
      else if (!(await this.#tellOutput()) && !this.#tellMoment()) {
        if (this.#isOver()) return;
        await this.#wait(this.#end === undefined ? this.#deadlineMs - performance.now() : endLookMs);
      }
    }
  }

  #tellMoment(): boolean {
    const moment = this.#moments[0];
    if (moment === undefined || this.#position < Math.min(moment.position, this.#service.log.end))
      return false;
    this.#moments.shift();
    const { type } = moment.event;
    this.#isDown = type === 'exit' || type === 'error';
    this.#send(moment.event);
    return true;
  }

  /** Whether the time is over, or the service is down, and everything until then was told. */
  #isOver(): boolean {
    const isDone = Number.isFinite(this.#deadlineMs);
    if (!isDone || (performance.now() < this.#deadlineMs && !this.#isDown)) return false;
    const { end } = this.#service.log;
    this.#end ??= { position: this.#options.to ?? end, giveUpMs: performance.now() + lastWaitMs };
    const isTold = this.#position >= Math.min(this.#end.position, end) && this.#moments.length === 0;
    return isTold || performance.now() > this.#end.giveUpMs;
  }

  /** Tells some output that came before the next moment; false when there is none to be had. */
  async #tellOutput(): Promise<boolean> {
    const { log } = this.#service;
    const last = this.#end?.position ?? this.#options.to ?? log.end;
    const limit = Math.min(this.#moments[0]?.position ?? log.end, last);
    if (this.#position >= limit) return false;
    const { lines, next } = await log.read(this.#position, limit);
    if (next === this.#position) return false;
    this.#position = next;
    for (const { stream, timeMs, text } of lines) this.#send({ type: stream, data: text, timestamp: timeMs });
    return true;
  }

  #tellLoss(): void {
    const lost = this.#service.log.lostBytes - this.#lostBytes;
    if (lost === 0) return;
    this.#lostBytes += lost;
    const data = `${lost} bytes of output could not be kept: the sprite's disk is full or broken`;
    this.#send({ type: 'error', data, timestamp: Date.now() });
  }

  #send(event: ServiceEvent): void {
    this.#response.write(`${JSON.stringify(event)}\n`);
  }

  #ring(): void {
    this.#changed = true;
    this.#wake();
  }

  /** Waits until something has changed since the last look, or for `ms`. */
  async #wait(ms: number): Promise<void> {
    if (this.#changed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(resolve, Math.min(Math.max(ms, 0), keepAliveMs));
    await promise;
    clearTimeout(timer);
  }
}

/** Where programs in the sprite find a service's output. */
function logFiles(name: string): ServiceLogFiles {
  const path = `/.sprite/logs/services/${name}.log`;
  return { combined: path, stdout: path, stderr: path };
}
