import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { SpriteError } from '@sprites/contract/errors';

/** Where a request came from: the server on the host, or a program in the sprite by the in-sprite socket. */
export type Origin = 'host' | 'inside';

/** A plain request to a resource. */
export type Call = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** HEAD counts as GET */
  readonly method: string;
  /** decoded parts of the path behind the resource's name */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  readonly origin: Origin;
};

/** A WebSocket upgrade that a resource is to answer. */
export type UpgradeCall = {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  readonly origin: Origin;
  /** answers the handshake; what is thrown before refuses the upgrade */
  readonly accept: () => void;
};

/** One part of the sprite's API: everything under `/v1/<name>`. */
export type Resource = {
  /** Answers a plain request; what it throws becomes the error answer. */
  readonly answer: (call: Call) => Promise<void> | void;
  /** Answers an upgrade; without it there is no WebSocket here. */
  readonly upgrade?: (call: UpgradeCall) => void;
};

export function notFound(resource: string, path: readonly string[]): SpriteError {
  return new SpriteError('not_found', `no endpoint /v1/${[resource, ...path].join('/').slice(0, 80)}`);
}

export function notAllowed(resource: string, method: string): SpriteError {
  return new SpriteError('method_not_allowed', `${method} is not allowed on /v1/${resource}`);
}

export function upgradeRequired(resource: string): SpriteError {
  return new SpriteError('upgrade_required', `/v1/${resource} answers websocket upgrades only`);
}
