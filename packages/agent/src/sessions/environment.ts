import { readFileSync, statSync } from 'node:fs';
import type { User } from '../kernel/user.ts';

const path =
  '/home/sprite/.local/bin:/home/sprite/.npm-global/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const largestFileBytes = 256 * 1024;

/** Where a command's variables come from, besides what every command has. */
export type EnvironmentSources = {
  readonly user: User;
  readonly tty: boolean;
  /** the sprite's own variables */
  readonly sprite: Readonly<Record<string, string>>;
  /** `KEY=VALUE` entries of the request */
  readonly entries: readonly string[];
};

/** The variables of a command; later sources win: base, `/etc/environment`, the sprite's, the request's. */
export function buildEnvironment({ user, tty, sprite, entries }: EnvironmentSources): Map<string, string> {
  const variables = new Map([
    ['PATH', path],
    ['HOME', user.home],
    ['USER', user.name],
    ['LOGNAME', user.name],
    ['SHELL', user.shell],
    ['LANG', 'C.UTF-8'],
  ]);
  if (tty) {
    variables.set('TERM', 'xterm-256color');
    // opens addresses where the person at this terminal is
    variables.set('BROWSER', '/.sprite/bin/sprite-browser');
  }
  for (const entry of readEnvironmentFile('/etc/environment')) addEntry(variables, entry);
  for (const [key, value] of Object.entries(sprite)) variables.set(key, value);
  for (const entry of entries) addEntry(variables, entry);
  return variables;
}

function addEntry(variables: Map<string, string>, entry: string): void {
  const at = entry.indexOf('=');
  if (at > 0) variables.set(entry.slice(0, at), entry.slice(at + 1));
}

/** Reads simple `KEY=VALUE` lines, quotes around the value and `export ` before the key allowed, as pam_env does. */
export function parseEnvironmentFile(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*?)\s*$/.exec(line);
    if (match?.[2] === undefined || line.includes('\0')) return [];
    return [`${match[1]}=${match[2].replace(/^(["'])(.*)\1$/, '$2')}`];
  });
}

let known: { readonly version: string; readonly entries: readonly string[] } | undefined;

function readEnvironmentFile(file: string): readonly string[] {
  try {
    const stats = statSync(file);
    const version = `${stats.mtimeMs} ${stats.size} ${stats.ino}`;
    if (known?.version === version) return known.entries;
    if (!stats.isFile() || stats.size > largestFileBytes) return [];
    known = { version, entries: parseEnvironmentFile(readFileSync(file, 'utf8')) };
    return known.entries;
  } catch {
    // The file is optional, and the sprite's owner may break it without losing the way in.
    return [];
  }
}
