import { chmodSync, lstatSync, mkdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Where shells find programs, whatever profile or sudo makes of PATH. */
const linkDir = '/usr/local/bin';
/** Names of programs, and which of ours they are. */
const programs: Readonly<Record<string, string>> = {
  'sprite-env': 'sprite-env',
  'sprite-browser': 'sprite-browser',
  'sprite-console': 'sprite-console',
  'xdg-open': 'sprite-browser',
};

export type InsideOptions = {
  /** where programs look for what belongs to their sprite; only root can write there */
  readonly dir: string;
  readonly logDir: string;
  readonly version: string;
};

/**
 * Puts in place what programs find of their sprite: logs, facts, and our programs in PATH. The sprite's own files are never
 * replaced. What cannot be made, on a full or broken disk, is left out.
 */
export function prepareInside({ dir, logDir, version }: InsideOptions): void {
  attempt('logs', () => {
    mkdirSync(join(logDir, 'services'), { recursive: true, mode: 0o755 });
    replaceLink(join(dir, 'logs'), logDir);
  });
  attempt('version', () => {
    writeFileSync(join(dir, 'version.txt'), `${version}\n`);
    chmodSync(join(dir, 'version.txt'), 0o644);
  });
  if (!exists(join(dir, 'bin', 'sprite-env'))) return;
  attempt('llm.txt', () => replaceLink(join(dir, 'llm.txt'), 'bin/llm.txt'));
  for (const [name, program] of Object.entries(programs)) {
    attempt(name, () => addLink(join(linkDir, name), join(dir, 'bin', program)));
  }
}

function addLink(path: string, target: string): void {
  if (exists(path)) return;
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  symlinkSync(target, path);
}

function replaceLink(path: string, target: string): void {
  if (readLink(path) === target) return;
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  rmSync(path, { recursive: true, force: true });
  symlinkSync(target, path);
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    // it is not there, or no link
    return undefined;
  }
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function attempt(what: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    console.error(`cannot prepare ${what}:`, error);
  }
}
