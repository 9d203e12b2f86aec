import { isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';
import { absolutePath, defineSetting, wholeNumber } from './setting.ts';

const ranges = z
  .string()
  .transform((value) => value.split(',').filter((part) => part !== ''))
  .pipe(z.array(z.string().refine(isRange)));

/** Settings of how clients reach this server and its sprites. */
export const ingressSettings = {
  publicUrl: defineSetting({
    env: 'SPRITES_PUBLIC_URL',
    flag: 'public-url',
    placeholder: 'url',
    help: 'base URL of the API as clients see it, when a proxy stands in front; scheme and port of the sprites’ URLs are taken from it',
    range: 'http:// or https://, a host and perhaps a port, without a path',
    schema: z.string().regex(/^https?:\/\/[a-z0-9.-]+(:\d{1,5})?$/),
  }),
  trustProxy: defineSetting({
    env: 'SPRITES_TRUST_PROXY',
    flag: 'trust-proxy',
    placeholder: 'cidr,…',
    help: 'proxies in front of this server whose X-Forwarded-For and X-Forwarded-Proto are believed, and that may ask which hosts get certificates',
    range: 'addresses or ranges with commas between them',
    schema: ranges,
    fallback: '',
  }),
  tlsCert: defineSetting({
    env: 'SPRITES_TLS_CERT',
    flag: 'tls-cert',
    placeholder: 'file',
    help: 'PEM file of the certificate chain for the domain and *.domain; with it the server speaks HTTPS only',
    range: 'an absolute path of a PEM file',
    schema: absolutePath,
  }),
  tlsKey: defineSetting({
    env: 'SPRITES_TLS_KEY',
    flag: 'tls-key',
    placeholder: 'file',
    help: 'PEM file of the certificate’s private key',
    range: 'an absolute path of a PEM file',
    schema: absolutePath,
  }),
  urlRate: defineSetting({
    env: 'SPRITES_URL_RATE',
    flag: 'url-rate',
    placeholder: 'n',
    help: 'most requests a minute to URLs of sprites with one token, or from one address to public sprites; 0 for any number',
    range: '0 to 1000000000',
    schema: wholeNumber(0, 1_000_000_000),
    fallback: '0',
  }),
  portWaitS: defineSetting({
    env: 'SPRITES_PORT_WAIT_S',
    flag: 'port-wait-s',
    placeholder: 's',
    help: 'how long a request to a sprite’s URL waits for a program to listen, in seconds',
    range: '1 to 600',
    schema: wholeNumber(1, 600),
    fallback: '20',
  }),
} as const;

function isRange(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/');
  if (more.length > 0 || (bits !== undefined && !/^\d{1,3}$/.test(bits))) return false;
  if (isIPv4(address)) return Number(bits ?? 32) <= 32;
  return isIPv6(address) && Number(bits ?? 128) <= 128;
}
