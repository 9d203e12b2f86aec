import { type Field, type Framing, listOf, type RequestHead, type ResponseHead } from './http1/head.ts';

/** Fields that concern one connection only. RFC 9110 section 7.6.1. */
const hopByHop = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'transfer-encoding',
  'upgrade',
  'content-length',
];

/** Fields by which proxies tell of the client; only those of a trusted proxy are believed. */
const forwarded = ['forwarded', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-real-ip'];

const notInRequest = new Set([...hopByHop, ...forwarded]);
const notInResponse = new Set(hopByHop);

/** Who the client is, as far as we know. */
export type ClientFacts = {
  readonly address: string;
  readonly proto: 'http' | 'https';
  /** what a trusted proxy said the client's addresses are, or undefined */
  readonly via: string | undefined;
};

export type RequestRewrite = {
  readonly framing: Framing;
  readonly client: ClientFacts;
  /** true when the authorization field is our own affair and must not reach the sprite */
  readonly dropAuthorization: boolean;
  /** name of our cookie, which must not reach the sprite */
  readonly ourCookies: ReadonlySet<string>;
  readonly isWebSocket: boolean;
};

/** The head of a request as the program in the sprite gets it. */
export function writeRequestHead(head: RequestHead, rewrite: RequestRewrite): string {
  const named = listOf(head.fields, 'connection');
  let text = `${head.method} ${head.target} HTTP/1.${head.minor}\r\n`;
  for (const field of head.fields) {
    if (notInRequest.has(field.key) || (named.includes(field.key) && field.key !== 'host')) continue;
    if (field.key === 'authorization' && rewrite.dropAuthorization) continue;
    if (field.key === 'cookie') text += writeCookies(field, rewrite.ourCookies);
    else text += `${field.name}: ${field.value}\r\n`;
  }
  const { client } = rewrite;
  const addresses = client.via === undefined ? client.address : `${client.via}, ${client.address}`;
  text += `X-Forwarded-For: ${addresses}\r\nX-Forwarded-Proto: ${client.proto}\r\nX-Forwarded-Host: ${head.host}\r\n`;
  if (rewrite.isWebSocket) text += 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
  else if (head.minor === 0) text += 'Connection: close\r\n';
  return `${text}${writeFraming(rewrite.framing)}\r\n`;
}

export type ResponseRewrite = {
  readonly framing: Framing;
  readonly isLast: boolean;
  readonly ourCookies: ReadonlySet<string>;
  /** true for an answer that has no body though its fields may name a length, as to HEAD */
  readonly keepsLength: boolean;
};

/** The head of an answer as the client gets it. */
export function writeResponseHead(head: ResponseHead, rewrite: ResponseRewrite): string {
  const named = listOf(head.fields, 'connection');
  let text = `HTTP/1.1 ${head.status} ${head.reason}\r\n`;
  for (const field of head.fields) {
    const keptLength = rewrite.keepsLength && field.key === 'content-length';
    if ((notInResponse.has(field.key) && !keptLength) || named.includes(field.key)) continue;
    if (field.key === 'set-cookie') text += writeSetCookie(field, rewrite.ourCookies);
    else text += `${field.name}: ${field.value}\r\n`;
  }
  if (rewrite.isLast) text += 'Connection: close\r\n';
  return `${text}${writeFraming(rewrite.framing)}\r\n`;
}

function writeFraming(framing: Framing): string {
  if (framing.type === 'length') return `Content-Length: ${framing.bytes}\r\n`;
  return framing.type === 'chunked' ? 'Transfer-Encoding: chunked\r\n' : '';
}

function writeCookies(field: Field, ours: ReadonlySet<string>): string {
  const kept = field.value.split(';').filter((cookie) => !ours.has(nameOf(cookie)));
  const value = kept.join(';').trim();
  return value === '' ? '' : `${field.name}: ${value}\r\n`;
}

/**
 * A sprite sets cookies for its own host only: neither ours, nor any for the domain that all sprites share. Those it
 * sets lose their `Domain`, which makes them its own.
 */
function writeSetCookie(field: Field, ours: ReadonlySet<string>): string {
  const [cookie = '', ...attributes] = field.value.split(';');
  if (ours.has(nameOf(cookie))) return '';
  const kept = attributes.filter((attribute) => nameOf(attribute).toLowerCase() !== 'domain');
  return `${field.name}: ${[cookie, ...kept].join(';')}\r\n`;
}

function nameOf(cookie: string): string {
  const at = cookie.indexOf('=');
  return (at < 0 ? cookie : cookie.slice(0, at)).trim();
}
