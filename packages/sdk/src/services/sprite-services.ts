import { type Endpoint, endpoints } from '@sprites/contract';
import { request, requestJson, streamed } from '../http/request.ts';
import { ServiceLogStream } from '../http/streams.ts';
import type { CallOptions } from '../options.ts';
import { SpritePolicies } from '../policies.ts';
import { toService, toTask } from '../wire.ts';
import type { ServiceLogsOptions, ServiceRequest, ServiceWithState, Task } from './service.ts';

/** What a sprite offers for its services and tasks, with its policies. */
export class SpriteServices extends SpritePolicies {
  async listServices({ signal }: CallOptions = {}): Promise<ServiceWithState[]> {
    const params = { name: this.name };
    return (await requestJson(this.client, endpoints.listServices, { params, signal })).map(toService);
  }

  async getService(service: string, { signal }: CallOptions = {}): Promise<ServiceWithState> {
    const params = { name: this.name, service };
    return toService(await requestJson(this.client, endpoints.getService, { params, signal }));
  }

  /** Defines a service, or defines it anew, and starts it. The stream shows its output for `duration`, default 5s. */
  createService(
    service: string,
    { httpPort, ...rest }: ServiceRequest,
    duration?: string,
    { signal }: CallOptions = {},
  ): Promise<ServiceLogStream> {
    const json = { ...rest, http_port: httpPort };
    return this.#stream(endpoints.putService, service, { query: { duration }, json, signal });
  }

  /** Starts a service, and first what it needs. */
  startService(service: string, duration?: string, { signal }: CallOptions = {}): Promise<ServiceLogStream> {
    return this.#stream(endpoints.startService, service, { query: { duration }, signal });
  }

  /** Stops a service until it is started again; after `timeout`, default 10s, it is killed. */
  stopService(service: string, timeout?: string, { signal }: CallOptions = {}): Promise<ServiceLogStream> {
    return this.#stream(endpoints.stopService, service, { query: { timeout }, signal });
  }

  restartService(
    service: string,
    duration?: string,
    { signal }: CallOptions = {},
  ): Promise<ServiceLogStream> {
    return this.#stream(endpoints.restartService, service, { query: { duration }, signal });
  }

  /** What a service wrote, and what it goes on writing for `duration`. */
  getServiceLogs(
    service: string,
    { lines, duration, signal }: ServiceLogsOptions = {},
  ): Promise<ServiceLogStream> {
    return this.#stream(endpoints.getServiceLogs, service, { query: { lines, duration }, signal });
  }

  /** Signals a service; one that ends of it is started again. */
  async signalService(service: string, name: string, { signal }: CallOptions = {}): Promise<void> {
    const json = { name: service, signal: name };
    const params = { name: this.name };
    await (await request(this.client, endpoints.signalService, { params, json, signal })).body?.cancel();
  }

  /** Stops and forgets a service; its log stays. */
  async deleteService(service: string, { signal }: CallOptions = {}): Promise<void> {
    const params = { name: this.name, service };
    await (await request(this.client, endpoints.deleteService, { params, signal })).body?.cancel();
  }

  /** What keeps the sprite awake on behalf of its programs; never wakes it. */
  async listTasks({ signal }: CallOptions = {}): Promise<Task[]> {
    const params = { name: this.name };
    return (await requestJson(this.client, endpoints.listTasks, { params, signal })).tasks.map(toTask);
  }

  async #stream(
    endpoint: Endpoint,
    service: string,
    { query, json, signal }: { readonly query: Query; readonly json?: unknown } & CallOptions,
  ): Promise<ServiceLogStream> {
    const given = Object.entries(query).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, String(value)]],
    );
    const response = await request(this.client, endpoint, {
      params: { name: this.name, service },
      query: new URLSearchParams(given),
      ...(json === undefined ? {} : { json }),
      ...streamed({ signal }),
    });
    return new ServiceLogStream(response);
  }
}

type Query = Readonly<Record<string, string | number | undefined>>;
