import { CliError } from '../cli-error.ts';

/** Where a server started by `npm run up` listens. */
export const localApiUrl = 'http://127.0.0.1:7777';

/**
 * Brings an API URL into the one form used as a key: scheme, host, optional path, no trailing slash.
 * A bare `host:port` gets `http://` on this machine and `https://` elsewhere.
 */
export function normalizeApiUrl(text: string): string {
  const url = parse(text.includes('://') ? text : `${isLoopback(text) ? 'http' : 'https'}://${text}`);
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.hostname === '') {
    throw new CliError(`${text} is not an API URL; write it like ${localApiUrl}`);
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}

/** Whether a token sent to this URL crosses a network in clear text. */
export function isCleartext(apiUrl: string): boolean {
  const url = new URL(apiUrl);
  return url.protocol === 'http:' && !isLoopback(url.host);
}

function parse(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

function isLoopback(host: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|[\w-]+\.localhost)(:\d+)?(\/|$)/.test(host);
}
