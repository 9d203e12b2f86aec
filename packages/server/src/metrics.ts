import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

const seconds = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** What the server counts, in the Prometheus text format at `/metrics`. */
export class Metrics {
  readonly registry = new Registry();
  readonly requests: Counter<'method' | 'route' | 'status'>;
  readonly requestSeconds: Histogram<'method' | 'route'>;
  /** requests to URLs by status that the counter does not have yet: it takes longer than the rest of an answer's end */
  readonly #urlAnswers = new Map<number, number>();
  readonly execs: Counter<'transport'>;
  readonly wakes: Counter<'kind' | 'result'>;
  readonly wakeSeconds: Histogram<'kind'>;
  readonly checksums: Counter<'type' | 'result'>;
  readonly checksumBytes: Counter<never>;
  readonly openSockets: Gauge<never>;

  /** Both are asked whenever metrics are read: the number of sprites by status, and of machines ready for new ones. */
  constructor(countSprites: () => Promise<Readonly<Record<string, number>>>, countReady: () => number) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.requests = new Counter({
      name: 'sprites_http_requests_total',
      help: 'HTTP requests answered, WebSocket upgrades included',
      labelNames: ['method', 'route', 'status'],
      registers,
    });
    this.requestSeconds = new Histogram({
      name: 'sprites_http_request_duration_seconds',
      help: 'Time from a request’s headers to the end of its answer',
      labelNames: ['method', 'route'],
      buckets: seconds,
      registers,
    });
    const urlRequests: Counter<'status'> = new Counter({
      name: 'sprites_url_requests_total',
      help: 'Requests to the URLs of sprites that were answered',
      labelNames: ['status'],
      registers,
      collect: () => {
        for (const [status, count] of this.#urlAnswers) urlRequests.inc({ status }, count);
        this.#urlAnswers.clear();
      },
    });
    this.execs = new Counter({
      name: 'sprites_execs_total',
      help: 'Exec, attach and control connections opened',
      labelNames: ['transport'],
      registers,
    });
    this.wakes = new Counter({
      name: 'sprites_wakes_total',
      help: 'Sprites woken',
      labelNames: ['kind', 'result'],
      registers,
    });
    this.wakeSeconds = new Histogram({
      name: 'sprites_wake_duration_seconds',
      help: 'Time to wake a sprite until its agent answers',
      labelNames: ['kind'],
      buckets: seconds,
      registers,
    });
    this.checksums = new Counter({
      name: 'sprites_checkpoint_checksums_total',
      help: 'Checkpoints whose checksum was made, or compared with what is on the disk',
      labelNames: ['type', 'result'],
      registers,
    });
    this.checksumBytes = new Counter({
      name: 'sprites_checkpoint_checksum_bytes_total',
      help: 'Bytes of checkpoints read for their checksums',
      registers,
    });
    this.openSockets = new Gauge({ name: 'sprites_open_sockets', help: 'Spliced WebSockets', registers });
    const sprites: Gauge<'status'> = new Gauge({
      name: 'sprites_sprites',
      help: 'Sprites by status',
      labelNames: ['status'],
      registers,
      collect: async () => {
        for (const [status, count] of Object.entries(await countSprites())) sprites.set({ status }, count);
      },
    });
    const ready: Gauge<never> = new Gauge({
      name: 'sprites_ready_machines',
      help: 'Machines that run for sprites to come',
      registers,
      collect: () => ready.set(countReady()),
    });
  }

  /** Counts an answer to a request to a sprite's URL. */
  countUrlAnswer(status: number): void {
    this.#urlAnswers.set(status, (this.#urlAnswers.get(status) ?? 0) + 1);
  }
}
