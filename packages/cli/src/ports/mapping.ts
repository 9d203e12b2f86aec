import { UsageError } from '../cli-error.ts';

/** A port of this machine and the port in the sprite behind it. */
export type Mapping = {
  readonly localPort: number;
  readonly remoteHost: string;
  readonly remotePort: number;
};

/** A host and port in the sprite. */
export type Target = { readonly host: string; readonly port: number };

/** Reads `8080`, `3000:80` or `3000:db:5432`, an IPv6 address in brackets. */
export function parseMapping(text: string): Mapping {
  const match = /^(?:(\d+):)?(?:(\[[^\]]+\]|[^:[\]]+):)?(\d+)$/.exec(text);
  const [, local, host, remote = ''] = match ?? [];
  // `a:80` is a host without a local port, which then is the same
  const remotePort = toPort(remote);
  const localPort = local === undefined ? remotePort : toPort(local);
  if (match === null || remotePort === undefined || localPort === undefined) {
    throw new UsageError(
      `${JSON.stringify(text)} is not a port; write PORT, LOCAL:REMOTE or LOCAL:HOST:REMOTE`,
    );
  }
  return { localPort, remotePort, remoteHost: bare(host) };
}

/** Reads `:22`, `localhost:22` or `[::1]:22`. */
export function parseTarget(text: string): Target {
  const match = /^(\[[^\]]+\]|[^:[\]]*):(\d+)$/.exec(text);
  const port = toPort(match?.[2] ?? '');
  if (match === null || port === undefined) {
    throw new UsageError(`-W takes HOST:PORT or :PORT, not ${JSON.stringify(text)}`);
  }
  return { host: bare(match[1]), port };
}

function bare(host: string | undefined): string {
  return host === undefined || host === '' ? 'localhost' : host.replace(/^\[(.*)\]$/, '$1');
}

function toPort(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}
