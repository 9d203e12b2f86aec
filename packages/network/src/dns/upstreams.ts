import { readFile, stat } from 'node:fs/promises';
import { isIP } from 'node:net';

const resolvConfFile = '/etc/resolv.conf';

/** how long a look at the file's date is good for, in `ms` */
const lookIntervalMs = 1000;

const maxUpstreams = 6;

/** A name server of the host. */
export type Upstream = { readonly address: string; readonly port: number; readonly family: 4 | 6 };

/** Gives the name servers to ask, in order of preference. */
export type Upstreams = () => Promise<readonly Upstream[]>;

/** The listed servers, or those of the host's resolv.conf, read again whenever that file changes. */
export function openUpstreams(listed: readonly string[] | undefined): Upstreams {
  if (listed !== undefined) {
    const upstreams = listed.map(parseListed);
    return () => Promise.resolve(upstreams);
  }
  return followFile(resolvConfFile);
}

/** The `nameserver` lines of a resolv.conf. */
export function parseResolvConf(text: string): readonly Upstream[] {
  const upstreams: Upstream[] = [];
  for (const line of text.split('\n')) {
    const address = /^\s*nameserver\s+(\S+)/.exec(line)?.[1];
    const upstream = address === undefined ? undefined : toUpstream(address, 53);
    if (upstream !== undefined && upstreams.length < maxUpstreams) upstreams.push(upstream);
  }
  return upstreams;
}

function followFile(file: string): Upstreams {
  let known:
    | { readonly lookedAt: number; readonly version: string; readonly upstreams: readonly Upstream[] }
    | undefined;
  return async () => {
    const lookedAt = performance.now();
    if (known !== undefined && lookedAt - known.lookedAt < lookIntervalMs) return known.upstreams;
    try {
      const { mtimeMs, ino, size } = await stat(file);
      const version = `${ino} ${mtimeMs} ${size}`;
      const upstreams =
        known?.version === version ? known.upstreams : parseResolvConf(await readFile(file, 'utf8'));
      known = { lookedAt, version, upstreams };
    } catch {
      // The file is away for a moment while it is being replaced; what it said is the best guess.
      known = { lookedAt, version: '', upstreams: known?.upstreams ?? [] };
    }
    return known.upstreams;
  };
}

function parseListed(text: string): Upstream {
  const match =
    /^(?:\[([^\]]+)\]|([^:]+|[0-9a-fA-F:]*:[0-9a-fA-F:]*:[0-9a-fA-F:.]*))(?::([0-9]{1,5}))?$/.exec(text);
  const upstream = toUpstream(match?.[1] ?? match?.[2] ?? '', Number(match?.[3] ?? 53));
  if (upstream === undefined) throw new Error(`name server ${text} is not an address or address:port`);
  return upstream;
}

function toUpstream(address: string, port: number): Upstream | undefined {
  const family = isIP(address);
  if ((family !== 4 && family !== 6) || port < 1 || port > 65535) return undefined;
  return { address, port, family };
}
