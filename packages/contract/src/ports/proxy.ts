import { SpriteError } from '../errors.ts';
import { parseObject } from '../exec/messages.ts';

/** What a client of the proxy asks for first. Spec section 9.1. */
export type ProxyRequest = {
  readonly host: string;
  readonly port: number;
  /**
   * Each side may end its stream and go on reading: a text message `{"type":"end"}` then stands for the end. Official
   * clients do not know it, and for them the end of one direction is the end of both.
   */
  readonly halfClose: boolean;
};

/** The server's one answer, as text; anything but `connected` is followed by a close. */
export type ProxyAnswer =
  | { readonly status: 'connected'; readonly target: string; readonly half_close?: true }
  | { readonly status: 'refused'; readonly target: string; readonly error: string }
  | { readonly status: 'error'; readonly error: string };

const longestHost = 255;

/** Reads the first message of a client. Throws `invalid_request`. */
export function parseProxyRequest(text: string): ProxyRequest {
  const value = parseObject(text);
  if (value === undefined) throw invalid('the first message must be {"host":"localhost","port":8080}');
  return readProxyRequest(value.host, value.port, value.half_close);
}

/** Checks the members of a request. An absent host is `localhost`. Throws `invalid_request`. */
export function readProxyRequest(host: unknown, port: unknown, halfClose?: unknown): ProxyRequest {
  const name = host === undefined || host === null || host === '' ? 'localhost' : host;
  if (typeof name !== 'string' || name.length > longestHost || !/^[\w.:%-]+$/.test(name)) {
    throw invalid(`bad host ${show(host)}: must be a name or an address`);
  }
  const number = typeof port === 'string' && /^\d{1,5}$/.test(port) ? Number(port) : port;
  if (typeof number !== 'number' || !Number.isInteger(number) || number < 1 || number > 65_535) {
    throw invalid(`bad port ${show(port)}: must be a number from 1 to 65535`);
  }
  return { host: name, port: number, halfClose: halfClose === true };
}

/** Reads the server's answer; undefined when it is none. */
export function parseProxyAnswer(text: string): ProxyAnswer | undefined {
  const value = parseObject(text);
  const target = String(value?.target ?? '');
  const error = String(value?.error ?? '');
  if (value?.status === 'connected') {
    return { status: 'connected', target, ...(value.half_close === true ? { half_close: true } : {}) };
  }
  if (value?.status === 'refused') return { status: 'refused', target, error };
  return typeof value?.status === 'string' ? { status: 'error', error: error || value.status } : undefined;
}

/** The message that ends one direction. */
export const endMessage = '{"type":"end"}';

export function isEndMessage(text: string): boolean {
  return parseObject(text)?.type === 'end';
}

/** `host:port`, an IPv6 address in brackets. */
export function formatTarget(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 80);
}

function invalid(message: string): SpriteError {
  return new SpriteError('invalid_request', message);
}
