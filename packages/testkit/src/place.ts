import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Owner } from './leaks.ts';

const lockFolder = '/run/lock/sprites-test';
/** How many test servers a host has address and uid ranges for. */
const placeCount = 12;
const slotsPerPlace = 4096;

/** What a test server has for itself on this host, so that several can stand side by side. */
export type Place = AsyncDisposable & {
  readonly dataDir: string;
  /** where the server keeps sockets and mounts; derived from the data directory as the server does */
  readonly runDir: string;
  /** eight hex digits that stand in the names of what the server makes in the kernel */
  readonly instance: string;
  readonly port: number;
  /** address range in CIDR notation */
  readonly network: string;
  /** first uid of the range given to sprites */
  readonly uidBase: number;
};

/** Takes a free place on this host below `parentDir`; disposing it gives it back and removes the data directory. */
export async function openPlace(parentDir: string): Promise<Place> {
  const { index, lockFile } = await takeIndex();
  await mkdir(parentDir, { recursive: true });
  const dataDir = await realpath(await mkdtemp(path.join(parentDir, 'server-')));
  const instance = instanceOf(dataDir);
  return {
    dataDir,
    runDir: runDirOf(instance),
    instance,
    port: await freePort(),
    network: `10.${await freeSecondOctet()}.${index * 16}.0/20`,
    uidBase: 1_000_000_000 + index * slotsPerPlace * 65_536,
    async [Symbol.asyncDispose]() {
      await rm(dataDir, { recursive: true, force: true });
      await rm(lockFile, { force: true });
    },
  };
}

/** By what the traces of the server with this data directory are known. */
export function ownerOf(dataDir: string): Owner {
  const instance = instanceOf(dataDir);
  return { folders: [dataDir, runDirOf(instance)], instance };
}

function instanceOf(dataDir: string): string {
  return createHash('sha256').update(dataDir).digest('hex').slice(0, 8);
}

function runDirOf(instance: string): string {
  return `/run/sprites/${instance}`;
}

async function takeIndex(): Promise<{ readonly index: number; readonly lockFile: string }> {
  await mkdir(lockFolder, { recursive: true });
  for (let index = 0; index < placeCount; index++) {
    const lockFile = path.join(lockFolder, String(index));
    if (await takeLock(lockFile)) return { index, lockFile };
  }
  throw new Error(`all ${placeCount} places for test servers are taken; see ${lockFolder}`);
}

async function takeLock(lockFile: string): Promise<boolean> {
  const owner = await readFile(lockFile, 'utf8').catch(() => undefined);
  if (owner !== undefined && !(await isAlive(Number(owner)))) await rm(lockFile, { force: true });
  try {
    await writeFile(lockFile, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

async function isAlive(pid: number): Promise<boolean> {
  return await readFile(`/proc/${pid}/stat`).then(
    () => true,
    () => false,
  );
}

/** Asks the kernel for a port of the loopback interface that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('the kernel gave no port');
  return address.port;
}

async function freeSecondOctet(): Promise<number> {
  const { stdout } = await promisify(execFile)('ip', ['-4', 'route', 'show', 'table', 'all']);
  for (let octet = 200; octet < 255; octet++) {
    const routes = stdout.split('\n').filter((line) => new RegExp(`\\b10\\.${octet}\\.`).test(line));
    // Routes of other test servers lie in ranges of their own.
    if (routes.every((line) => /\bdev (?:spv|lo\b)/.test(line))) return octet;
  }
  throw new Error('no free range of addresses in 10.200.0.0 … 10.254.255.255');
}
