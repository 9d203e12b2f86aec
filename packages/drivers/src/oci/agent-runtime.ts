import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import {
  chmod,
  copyFile,
  link,
  mkdir,
  mkdtemp,
  open,
  readdir,
  realpath,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { hasCode } from '@sprites/linux';

const run = promisify(execFile);

/** The program inside every sprite, with all it needs to run on any image. */
export type AgentRuntime = {
  /** absolute host path of its directory, bound at `/.sprite/bin` */
  readonly dir: string;
  /** content hash, the directory's name */
  readonly hash: string;
  /** options of node before the agent's file */
  readonly args: readonly string[];
};

export type AgentRuntimeOptions = {
  readonly dataDir: string;
  readonly nodeBinary: string;
  /** the bundled agent, one file */
  readonly agentBundle: string;
  readonly agentArgs?: readonly string[];
  /** what lies beside the agent for programs inside: name and source of each file */
  readonly insideFiles?: ReadonlyMap<string, string>;
};

/**
 * Builds `<dataDir>/agent/<hash>/` unless it is there: node, the dynamic loader and libraries it needs, and the agent. It appears whole or not at all, and is never changed afterwards, so that machines can go on
 * using it while a later version has a directory of its own.
 */
export async function createAgentRuntime(options: AgentRuntimeOptions): Promise<AgentRuntime> {
  const files = await listFiles(options);
  const hash = await hashFiles(files);
  const parent = join(options.dataDir, 'agent');
  const dir = join(parent, hash);
  const args = options.agentArgs ?? [];
  if (await exists(dir)) return { dir, hash, args };
  await mkdir(parent, { recursive: true });
  await removeDrafts(parent);
  const draft = await mkdtemp(join(parent, '.draft-'));
  try {
    await mkdir(join(draft, 'lib'));
    for (const [name, source] of files) await place(source, join(draft, name));
    await chmod(draft, 0o755);
    await rename(draft, dir);
    await syncDirectory(parent);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // another server of the same data directory was faster
    if (!hasCode(error, 'EEXIST', 'ENOTEMPTY')) throw error;
  }
  return { dir, hash, args };
}

/** Name in the runtime and source of each file. */
async function listFiles(options: AgentRuntimeOptions): Promise<ReadonlyMap<string, string>> {
  const { loader, libraries } = await findLibraries([options.nodeBinary]);
  return new Map([
    ['node', options.nodeBinary],
    ['ld.so', loader],
    ...libraries.map((path): [string, string] => [`lib/${basename(path)}`, path]),
    ['agent.js', options.agentBundle],
    ...(options.insideFiles ?? []),
  ]);
}

/** The dynamic loader and every shared library of the given binaries. */
async function findLibraries(
  binaries: readonly string[],
): Promise<{ readonly loader: string; readonly libraries: readonly string[] }> {
  const outputs = await Promise.all(binaries.map(async (binary) => (await run('ldd', [binary])).stdout));
  const lines = outputs.flatMap((text) => text.split('\n'));
  const libraries = lines.flatMap((line) => line.match(/=> (\/\S+)/)?.[1] ?? []);
  const loader = lines.flatMap((line) => line.match(/^\s*(\/\S*ld-\S+) \(/)?.[1] ?? [])[0];
  if (loader === undefined) throw new Error(`cannot find the dynamic loader of ${binaries.join(', ')}`);
  return { loader, libraries: [...new Set(libraries)] };
}

/** Larger files are known by their size, age and both ends: reading 150 MB at each start would take half a second. */
const wholeHashBytes = 16 * 1024 * 1024;
const endBytes = 1024 * 1024;

async function hashFiles(files: ReadonlyMap<string, string>): Promise<string> {
  const hash = createHash('sha256');
  for (const [name, source] of files) {
    await using file = await open(source, 'r');
    const { size, mtimeMs } = await file.stat();
    hash.update(`${name}\n${size}\n`);
    if (size <= wholeHashBytes) {
      hash.update(await file.readFile());
      continue;
    }
    hash.update(`${mtimeMs}\n`);
    for (const position of [0, size - endBytes]) {
      const { buffer } = await file.read(Buffer.alloc(endBytes), 0, endBytes, position);
      hash.update(buffer);
    }
  }
  return hash.digest('hex').slice(0, 16);
}

/** Shares the file where both lie on one file system, else copies it; package managers replace files, they never write into them. */
async function place(source: string, target: string): Promise<void> {
  const mode = (await stat(source)).mode & 0o777;
  const shared = mode === 0o755 && (await tryLink(source, target));
  if (!shared) {
    await copyFile(source, target, constants.COPYFILE_FICLONE);
    await chmod(target, 0o755);
  }
  await using file = await open(target, 'r');
  await file.sync();
}

async function tryLink(source: string, target: string): Promise<boolean> {
  try {
    await link(await realpath(source), target);
    return true;
  } catch (error) {
    if (hasCode(error, 'EXDEV', 'EPERM', 'EMLINK', 'EACCES')) return false;
    throw error;
  }
}

async function removeDrafts(parent: string): Promise<void> {
  const drafts = (await readdir(parent)).filter((name) => name.startsWith('.draft-'));
  for (const name of drafts) {
    const dir = join(parent, name);
    // another server may be at work on a young one
    if (Date.now() - (await stat(dir)).mtimeMs > 600_000) await rm(dir, { recursive: true, force: true });
  }
}

async function syncDirectory(dir: string): Promise<void> {
  await using handle = await open(dir, 'r');
  await handle.sync();
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}
