import type { ServiceEntry, ServiceEvent } from '@sprites/contract/services';
import { type HttpAnswer, httpRequest } from './http-request.ts';

/** Asks an agent for services and tasks. */
export class ServiceClient {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  async ask(method: string, path: string, body?: unknown): Promise<HttpAnswer> {
    const sent = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) };
    return await httpRequest(this.#socketPath, { method, path: `/v1/${path}`, ...sent });
  }

  /** The events of an answer that must be a stream. */
  async events(method: string, path: string, body?: unknown): Promise<readonly ServiceEvent[]> {
    const answer = await this.ask(method, path, body);
    if (answer.status !== 200) throw new Error(`${answer.status} ${answer.body}`);
    return answer.body
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }

  /** Defines a service that a line of shell is, and starts it. */
  async shell(
    name: string,
    script: string,
    more: object = {},
    duration = '0',
  ): Promise<readonly ServiceEvent[]> {
    const body = { cmd: 'sh', args: ['-c', script], ...more };
    return await this.events('PUT', `services/${name}?duration=${duration}`, body);
  }

  async get(name: string): Promise<ServiceEntry> {
    const { status, body } = await this.ask('GET', `services/${name}`);
    if (status !== 200) throw new Error(`${status} ${body}`);
    return JSON.parse(body);
  }
}

/** Types of events, with the text of output. */
export function summary(events: readonly ServiceEvent[]): readonly string[] {
  return events.map((event) => ('data' in event ? `${event.type} ${event.data.trimEnd()}` : event.type));
}
