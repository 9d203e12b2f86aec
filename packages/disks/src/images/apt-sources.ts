import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where Debian's packages come from. */
export type Mirrors = { readonly main: string; readonly security: string };

/** The mirrors the host's own apt uses when the host is Debian; undefined leaves the choice to mmdebstrap. */
export async function findMirrors(etc = '/etc'): Promise<Mirrors | undefined> {
  const release = await readText(join(etc, 'os-release'));
  if (!/^ID=["']?debian["']?$/m.test(release)) return undefined;
  const codename = /^VERSION_CODENAME=["']?(\w+)/m.exec(release)?.[1];
  return chooseMirrors(await readAptFiles(join(etc, 'apt')), codename ?? 'stable');
}

/** Picks the mirrors out of the text of `.list` and `.sources` files, when both are there; a mirror serves all releases. */
export function chooseMirrors(files: readonly AptFile[], codename: string): Mirrors | undefined {
  const entries = files.flatMap((file) => (file.deb822 ? parseDeb822(file.text) : parseOneLine(file.text)));
  const usable = entries.filter((entry) => /^https?:\/\/\S+$/.test(entry.uri));
  const find = (suites: readonly string[]): string | undefined =>
    usable.find((entry) => suites.includes(entry.suite) && entry.components.includes('main'))?.uri;
  const main = find([codename, 'stable', `${codename}-updates`]);
  const security = find([`${codename}-security`, 'stable-security', `${codename}/updates`]);
  return main === undefined || security === undefined ? undefined : { main, security };
}

/** One-line entries for a release. */
export function toSourceLines({ main, security }: Mirrors, suite: string): readonly string[] {
  return [
    `deb ${main} ${suite} main`,
    `deb ${main} ${suite}-updates main`,
    `deb ${security} ${suite}-security main`,
  ];
}

/** The sources file of the image itself; a user name and password of the mirror stay on the host. */
export function toSourcesFile({ main, security }: Mirrors, suite: string): string {
  const stanza = (uri: string, suites: string): string =>
    [
      'Types: deb',
      `URIs: ${withoutCredentials(uri)}`,
      `Suites: ${suites}`,
      'Components: main',
      'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg',
      '',
    ].join('\n');
  return `${stanza(main, `${suite} ${suite}-updates`)}\n${stanza(security, `${suite}-security`)}`;
}

export type AptFile = { readonly deb822: boolean; readonly text: string };

type Entry = { readonly uri: string; readonly suite: string; readonly components: readonly string[] };

async function readAptFiles(directory: string): Promise<readonly AptFile[]> {
  const parts = join(directory, 'sources.list.d');
  const names = (await readdir(parts).catch(() => [])).sort();
  const files = names.filter((name) => /\.(list|sources)$/.test(name)).map((name) => join(parts, name));
  const all = [join(directory, 'sources.list'), ...files];
  return Promise.all(
    all.map(async (file) => ({ deb822: file.endsWith('.sources'), text: await readText(file) })),
  );
}

function parseOneLine(text: string): readonly Entry[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)((?:\s+[^\s#]+)+)/.exec(line);
    if (match?.[1] === undefined || match[2] === undefined || match[3] === undefined) return [];
    return [{ uri: match[1], suite: match[2], components: match[3].trim().split(/\s+/) }];
  });
}

function parseDeb822(text: string): readonly Entry[] {
  const stanzas = text.replace(/^#.*\n?/gm, '').split(/\n\s*\n/);
  return stanzas.flatMap((stanza) => {
    const field = (name: string): readonly string[] => {
      const match = new RegExp(`^${name}:[ \\t]*(.*(?:\\n[ \\t]+.*)*)`, 'im').exec(stanza);
      return match?.[1]?.trim().split(/\s+/) ?? [];
    };
    if (!field('Types').includes('deb') || field('Enabled')[0] === 'no') return [];
    const components = field('Components');
    return field('URIs').flatMap((uri) => field('Suites').map((suite) => ({ uri, suite, components })));
  });
}

function withoutCredentials(uri: string): string {
  return uri.replace(/^(https?:\/\/)[^/@]*@/, '$1');
}

/** The file's text, or none: each of these files may be missing. */
async function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}
