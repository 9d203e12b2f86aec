import type { Duplex } from 'node:stream';
import { SpriteError } from '@sprites/contract';
import type { Clock, Driver } from '@sprites/core';
import { askAgent, readText } from '../sockets/ask-agent.ts';
import { Upstream, type Upstreams } from './upstreams.ts';

/** Port of a sprite without a service that has an HTTP port. */
const usualPort = 8080;
/** How long an agent's word about the port is taken without asking again, in `ms`. */
const believeMs = 1000;
/** How long a word is used while a newer one is asked for, in `ms`. */
const staleMs = 60_000;
const askTimeoutMs = 30_000;
const mostAnswerBytes = 16 * 1024;
/** Waits between two tries to connect to a port where nobody listens yet, in `ms`. */
const retryWaitsMs = [10, 25, 50, 100, 200];

/** Which port of a sprite its URL leads to. */
type Route = {
  readonly port: number;
  /** true when a service of the sprite is to listen there */
  readonly hasService: boolean;
};
type Known = { readonly route: Route; readonly atMs: number };

export type PortsDeps = {
  readonly driver: Pick<Driver<Duplex>, 'dial' | 'connect'>;
  readonly upstreams: Upstreams;
  readonly clock: Clock;
  /** how long a request waits for a program to listen, in `ms` */
  readonly portWaitMs: number;
};

/** A connection to the program that answers for a sprite, and the port it is on. */
export type Reached = { readonly upstream: Upstream; readonly port: number };

/** Finds the port that a sprite's URL leads to, and connects to it. */
export class Ports {
  readonly #deps: PortsDeps;
  readonly #known = new Map<string, Known>();
  readonly #asking = new Map<string, Promise<Route>>();

  constructor(deps: PortsDeps) {
    this.#deps = deps;
  }

  /** Forgets what is known of a sprite: its machine stops, or its services change. */
  forget(spriteId: string): void {
    this.#known.delete(spriteId);
  }

  /** A connection to the sprite's port that has served another request, or undefined. */
  take(spriteId: string): Reached | undefined {
    const { clock, upstreams } = this.#deps;
    const known = this.#known.get(spriteId);
    if (known === undefined) return undefined;
    const ageMs = clock.now() - known.atMs;
    if (ageMs >= staleMs) return undefined;
    if (ageMs >= believeMs) this.#refresh(spriteId);
    const { port } = known.route;
    const upstream = upstreams.take(spriteId, port);
    return upstream && { upstream, port };
  }

  /** A new connection to the sprite's port. Throws `port_unreachable`, or the signal's reason. */
  async connect(spriteId: string, hasJustWoken: boolean, signal: AbortSignal): Promise<Reached> {
    const { driver, clock, portWaitMs } = this.#deps;
    const deadline = clock.now() + portWaitMs;
    for (let tries = 0; ; tries++) {
      const route = await this.#route(spriteId, signal);
      try {
        const { port } = route;
        const upstream = await Upstream.open((reader) => driver.connect(spriteId, { port, reader }, signal));
        return { upstream, port };
      } catch (error) {
        if (!(error instanceof SpriteError) || error.code !== 'port_unreachable') throw error;
        // a service that is down is started by asking
        this.forget(spriteId);
        const mayCome = route.hasService || hasJustWoken || tries === 0;
        if (!mayCome || clock.now() >= deadline) throw unreachable(route, error);
        await clock.sleep(retryWaitsMs[Math.min(tries, retryWaitsMs.length - 1)] ?? 0, signal);
      }
    }
  }

  async #route(spriteId: string, signal: AbortSignal): Promise<Route> {
    const known = this.#known.get(spriteId);
    const ageMs = known === undefined ? staleMs : this.#deps.clock.now() - known.atMs;
    if (known !== undefined && ageMs < believeMs) return known.route;
    if (known !== undefined && ageMs < staleMs) {
      this.#refresh(spriteId);
      return known.route;
    }
    return this.#ask(spriteId).catch((error: unknown) => {
      signal.throwIfAborted();
      throw error;
    });
  }

  #refresh(spriteId: string): void {
    // the connection tells soon enough when the old word was wrong
    if (!this.#asking.has(spriteId)) this.#ask(spriteId).catch(() => {});
  }

  #ask(spriteId: string): Promise<Route> {
    const asking = this.#asking.get(spriteId);
    if (asking !== undefined) return asking;
    const asked = this.#askAgent(spriteId)
      .then((route) => {
        this.#known.set(spriteId, { route, atMs: this.#deps.clock.now() });
        return route;
      })
      .finally(() => this.#asking.delete(spriteId));
    this.#asking.set(spriteId, asked);
    return asked;
  }

  /** Not ended by one client's leaving, as others may wait for the same answer. */
  async #askAgent(spriteId: string): Promise<Route> {
    const limit = AbortSignal.timeout(askTimeoutMs);
    const stream = await this.#deps.driver.dial(spriteId, limit);
    try {
      const headers = ['Host', 'sprite', 'Connection', 'close', 'Content-Length', '0'];
      const reply = await askAgent(stream, { method: 'POST', path: '/v1/ingress', headers, signal: limit });
      if (reply.type !== 'answer' || reply.answer.statusCode !== 200) throw new Error('no answer 200');
      return toRoute(JSON.parse(await readText(reply.answer, mostAnswerBytes)));
    } catch (cause) {
      throw new SpriteError('agent_unreachable', 'the program inside the sprite did not answer', { cause });
    } finally {
      stream.destroy();
    }
  }
}

/** An agent's word is checked: it is untrusted. */
function toRoute(answer: unknown): Route {
  if (typeof answer !== 'object' || answer === null || !('port' in answer))
    return { port: usualPort, hasService: false };
  const { port } = answer;
  const isPort = typeof port === 'number' && Number.isInteger(port) && port >= 1 && port <= 65_535;
  if (!isPort) return { port: usualPort, hasService: false };
  return { port, hasService: 'service' in answer && typeof answer.service === 'string' };
}

function unreachable({ port, hasService }: Route, cause: unknown): SpriteError {
  const advice = hasService
    ? 'its service does not listen there; see sprite services logs'
    : 'start a program that listens there, or a service with http_port';
  return new SpriteError('port_unreachable', `nothing answers on port ${port} of the sprite; ${advice}`, {
    cause,
  });
}
