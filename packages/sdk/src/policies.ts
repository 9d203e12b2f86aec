import {
  type EgressLog,
  type EgressVerdict,
  endpoints,
  type NetworkPolicy,
  type PrivilegesPolicy,
} from '@sprites/contract';
import { request, requestJson } from './http/request.ts';
import type { CallOptions } from './options.ts';
import { SpriteFacts } from './sprite-facts.ts';

/** How much a sprite may use. */
export type ResourcesPolicy = {
  readonly memory?:
    | { readonly limitMB?: number | undefined; readonly autoscale?: boolean | undefined }
    | undefined;
};

/** What a sprite asked for by one name, or by an address without a name. */
export type EgressEntry = {
  /** the last time */
  readonly time: Date;
  readonly firstTime: Date;
  readonly name?: string;
  readonly addresses: readonly string[];
  readonly verdict: EgressVerdict;
  /** questions, or packets refused */
  readonly count: number;
  /** to its addresses by the present machine; undefined when not counted */
  readonly bytesSent?: number;
  readonly bytesReceived?: number;
};

/** How much a sprite asked its name server since the server started: the volume that a tunnel through DNS would have. */
export type DnsVolume = {
  readonly queries: number;
  /** refused because there were too many in a second */
  readonly limited: number;
  readonly queryBytes: number;
  readonly answerBytes: number;
};

/** The policies of a sprite: what it may reach, do and use. None of the calls wakes it. */
export class SpritePolicies extends SpriteFacts {
  getNetworkPolicy({ signal }: CallOptions = {}): Promise<NetworkPolicy> {
    return requestJson(this.client, endpoints.getNetworkPolicy, { params: { name: this.name }, signal });
  }

  /** Replaces the rules; they hold, also for open connections, when this resolves. */
  updateNetworkPolicy(policy: NetworkPolicy, options: CallOptions = {}): Promise<void> {
    return this.#send(endpoints.setNetworkPolicy, policy, options);
  }

  /** Rules that allow what the sprite was seen to reach; with `defaults`, an include for what that covers. */
  suggestNetworkPolicy({
    defaults = false,
    signal,
  }: CallOptions & { readonly defaults?: boolean } = {}): Promise<NetworkPolicy> {
    const query = new URLSearchParams(defaults ? { defaults: 'true' } : {});
    const params = { name: this.name };
    return requestJson(this.client, endpoints.suggestNetworkPolicy, { params, query, signal });
  }

  /** What a sprite with a network policy asked for, newest first, and the volume of all its questions. */
  async egressLog({ signal }: CallOptions = {}): Promise<{
    readonly entries: readonly EgressEntry[];
    readonly dns: DnsVolume;
  }> {
    const params = { name: this.name };
    const { entries, dns } = await requestJson(this.client, endpoints.getEgressLog, { params, signal });
    const { queries, limited, query_bytes: queryBytes, answer_bytes: answerBytes } = dns;
    return { entries: entries.map(toEgressEntry), dns: { queries, limited, queryBytes, answerBytes } };
  }

  getPrivilegesPolicy({ signal }: CallOptions = {}): Promise<PrivilegesPolicy> {
    return requestJson(this.client, endpoints.getPrivilegesPolicy, { params: { name: this.name }, signal });
  }

  /** Replaces the policy; it holds from the next start of the machine. */
  updatePrivilegesPolicy(policy: PrivilegesPolicy, options: CallOptions = {}): Promise<void> {
    return this.#send(endpoints.setPrivilegesPolicy, policy, options);
  }

  deletePrivilegesPolicy(options: CallOptions = {}): Promise<void> {
    return this.#send(endpoints.deletePrivilegesPolicy, undefined, options);
  }

  async getResourcesPolicy({ signal }: CallOptions = {}): Promise<ResourcesPolicy> {
    const params = { name: this.name };
    const { memory } = await requestJson(this.client, endpoints.getResourcesPolicy, { params, signal });
    return memory === undefined ? {} : { memory: { limitMB: memory.limit_mb, autoscale: memory.autoscale } };
  }

  /** Replaces the policy; a running machine has the new limit when this resolves. */
  updateResourcesPolicy({ memory }: ResourcesPolicy, options: CallOptions = {}): Promise<void> {
    const wire =
      memory === undefined ? {} : { memory: { limit_mb: memory.limitMB, autoscale: memory.autoscale } };
    return this.#send(endpoints.setResourcesPolicy, wire, options);
  }

  deleteResourcesPolicy(options: CallOptions = {}): Promise<void> {
    return this.#send(endpoints.deleteResourcesPolicy, undefined, options);
  }

  async #send(endpoint: Changing, json: object | undefined, { signal }: CallOptions): Promise<void> {
    const response = await request(this.client, endpoint, { params: { name: this.name }, json, signal });
    await response.body?.cancel();
  }
}

type Changing =
  | typeof endpoints.setNetworkPolicy
  | typeof endpoints.setPrivilegesPolicy
  | typeof endpoints.deletePrivilegesPolicy
  | typeof endpoints.setResourcesPolicy
  | typeof endpoints.deleteResourcesPolicy;

function toEgressEntry(wire: EgressLog['entries'][number]): EgressEntry {
  return {
    time: new Date(wire.time),
    firstTime: new Date(wire.first_time),
    ...(wire.name === null ? {} : { name: wire.name }),
    addresses: wire.addresses,
    verdict: wire.verdict,
    count: wire.count,
    ...(wire.bytes_sent === null ? {} : { bytesSent: wire.bytes_sent }),
    ...(wire.bytes_received === null ? {} : { bytesReceived: wire.bytes_received }),
  };
}
