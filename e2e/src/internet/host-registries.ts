import { lookup } from 'node:dns/promises';
import { runProgram } from '../program.ts';

const proxyVariables = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'];
const pipSettings = ['index-url', 'extra-index-url', 'trusted-host', 'proxy', 'default-timeout'];
const npmSettings = ['registry', 'proxy', 'https-proxy', 'strict-ssl'];
const waitMs = 30_000;

/** A small package of each registry, with a command of the same name. */
export const samples = { pip: 'tabulate', npm: 'semver', apt: 'hello' } as const;

/** A package registry of this host. */
export type Registry = {
  /** host name a sprite has to resolve */
  readonly host: string;
  /** why it cannot be used; undefined when this host reaches it */
  readonly unreachable: string | undefined;
};

/** How this host gets packages, for sprites to do the same. It is read at run time: the tree names no mirror. */
export type HostRegistries = {
  readonly pip: Registry;
  readonly npm: Registry;
  /** variables for commands in a sprite */
  readonly environment: Readonly<Record<string, string>>;
  /** text of a file for `/etc/apt/apt.conf.d` */
  readonly aptOptions: string;
  /** addresses of the registries and proxies, for `SPRITES_NETWORK_ALLOW`: they may be private ones */
  readonly addresses: readonly string[];
};

/** Reads the settings of pip, npm and apt on this host, without credentials, and tries the registries. */
export async function readHostRegistries(): Promise<HostRegistries> {
  const proxies = proxyVariables.flatMap((name) => pair(name, process.env[name]));
  const pip = await readPip();
  const npm = await readNpm();
  const aptOptions = await readApt();
  const index = pip.PIP_INDEX_URL ?? (await readDefaultIndex());
  const registry = npm.npm_config_registry ?? '';
  const hasProxy = proxies.length > 0 || 'PIP_PROXY' in pip || 'npm_config_https_proxy' in npm;
  const pages = await Promise.all([
    readPage(`${withoutSlash(index)}/${samples.pip}/`),
    readPage(`${withoutSlash(registry)}/${samples.npm}`),
  ]);
  const texts = [...Object.values({ ...pip, ...npm }), ...proxies.map(([, value]) => value), aptOptions];
  const linked = pages.flatMap((page) => page.text.match(/(?:href=|"tarball": ?)"https?:[^"]+/g) ?? []);
  return {
    pip: { host: new URL(index).hostname, unreachable: hasProxy ? undefined : pages[0]?.failure },
    npm: { host: new URL(registry).hostname, unreachable: hasProxy ? undefined : pages[1]?.failure },
    environment: { ...pip, ...npm, ...Object.fromEntries(proxies) },
    aptOptions,
    addresses: await resolveAll([index, registry, ...texts, ...linked].flatMap(hostsIn)),
  };
}

/** The settings as pip's environment variables; paths and files of this host mean nothing elsewhere. */
async function readPip(): Promise<Readonly<Record<string, string>>> {
  const text = await runProgram('python3', ['-m', 'pip', 'config', 'list']).catch(() => '');
  const entries = [...text.matchAll(/^(?:global|install|:env:)\.([\w-]+)='(.*)'$/gm)];
  return Object.fromEntries(
    entries.flatMap(([, key = '', value]) =>
      pipSettings.includes(key) ? pair(`PIP_${key.toUpperCase().replaceAll('-', '_')}`, value) : [],
    ),
  );
}

/** The index pip uses unless it is told another one. */
async function readDefaultIndex(): Promise<string> {
  const code = 'from pip._internal.models.index import PyPI; print(PyPI.simple_url)';
  return (await runProgram('python3', ['-c', code])).trim();
}

async function readNpm(): Promise<Readonly<Record<string, string>>> {
  const values = await Promise.all(
    npmSettings.map(async (key) => {
      const value = (await runProgram('npm', ['config', 'get', key])).trim();
      return pair(`npm_config_${key.replaceAll('-', '_')}`, value === 'null' ? undefined : value);
    }),
  );
  return Object.fromEntries(values.flat());
}

async function readApt(): Promise<string> {
  const text = await runProgram('apt-config', ['dump', '--no-empty']).catch(() => '');
  const lines = text
    .split('\n')
    .filter((line) => /^Acquire::(https?|Retries|Check)\b.*"[^/].*";$/.test(line));
  return lines.map((line) => `${withoutCredentials(line)}\n`).join('');
}

/** The page of a package; its links tell from where the files come. */
async function readPage(url: string): Promise<{ readonly text: string; readonly failure?: string }> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(waitMs) });
    const text = await response.text();
    return response.ok ? { text } : { text: '', failure: `the registry answers ${response.status}` };
  } catch (error) {
    return { text: '', failure: `this host does not reach it: ${String(error)}` };
  }
}

function hostsIn(text: string): readonly string[] {
  const urls = text.match(/https?:\/\/(?:[^\s/"'@]*@)?[\w.-]+/g) ?? [];
  return urls.map((url) => new URL(url).hostname);
}

async function resolveAll(hosts: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(
    // Links of a page may lead to hosts that are not there.
    [...new Set(hosts)].map((host) => lookup(host, { all: true, family: 4 }).catch(() => [])),
  );
  return [...new Set(found.flat().map(({ address }) => address))];
}

function pair(name: string, value: string | undefined): readonly [string, string][] {
  if (value === undefined || value === '') return [];
  return [[name, withoutCredentials(value)]];
}

function withoutSlash(url: string): string {
  return url.replace(/\/$/, '');
}

function withoutCredentials(text: string): string {
  return text.replace(/(https?:\/\/)[^\s/"@]*@/g, '$1');
}
