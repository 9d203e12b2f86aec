import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import {
  contentName,
  type ExportEntry,
  type ExportManifest,
  encodeMember,
  endName,
  listingName,
  manifestName,
  tarEnd,
} from '@sprites/contract/export';
import { type DetachedMount, isAttached, unmountPool } from '@sprites/linux';
import { openReflinkDisks, type ReflinkDisks, type ReflinkDisksOptions } from '../reflink/index.ts';
import { ArchiveFiles } from './archive-files.ts';
import { mountWritable } from './open-tree.ts';

const mib = 1024 ** 2;
export const diskBytes = 256 * mib;
export const signal = new AbortController().signal;

export type Fixture = AsyncDisposable & {
  readonly disks: ReflinkDisks;
  readonly archives: ArchiveFiles;
  /** Everything in the pool but templates. */
  readonly left: () => Promise<readonly string[]>;
  /** Does work below the files of a disk. */
  readonly inside: (id: string, work: (top: string) => Promise<void>) => Promise<void>;
  /** Unpacks bytes as a sprite of this id. */
  readonly unpack: (bytes: Uint8Array, id?: string) => Promise<unknown>;
};

/** A pool of its own for one test. */
export async function fixture(options: Partial<ReflinkDisksOptions> = {}): Promise<Fixture> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sprites-archive-'));
  const pool = join(dataDir, 'pool');
  const disks = await openReflinkDisks({ dataDir, signal, poolSizeBytes: 2048 * mib, ...options });
  const archives = new ArchiveFiles(disks);
  return {
    disks,
    archives,
    left: async () => {
      const names = await readdir(pool, { recursive: true });
      return names.filter((name) => !/^(templates|disks$|checkpoints$)/.test(name)).sort();
    },
    inside: async (id, work) => {
      const mounted: DetachedMount = await mountWritable(disks.file(id));
      await work(`${mounted.path}/upper`).finally(() => mounted.close());
      for (let n = 0; n < 1000 && (await isAttached(disks.file(id))); n++) await new Promise(setImmediate);
    },
    unpack: async (bytes, id = 'copy') => {
      await using archive = await archives.open(once(bytes), signal);
      return await archive.unpack(id, diskBytes);
    },
    async [Symbol.asyncDispose]() {
      await unmountPool(pool);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

export const manifest: ExportManifest = {
  format: 'sprite-export',
  version: 1,
  created_at: '2026-01-01T00:00:00.000Z',
  server_version: '1.2.3',
  image: { name: 'minimal', digest: 'sha256:aa' },
  sprite: {
    name: 'demo',
    created_at: '2026-01-01T00:00:00.000Z',
    labels: [],
    environment: {},
    url_settings: { auth: 'sprite' },
    config: {},
    idle: {},
    auto_checkpoints: {},
    policies: {},
    checkpoint_count: 0,
  },
  checkpoints: [],
  trees: [{ id: 'Current', most_bytes: 10 * mib, most_entries: 1000 }],
  problems: [],
};

export type Member = readonly [name: string, content: Uint8Array];

/** The members of an archive with one listing and its content, all checksums right. */
export function membersOf(
  entries: readonly unknown[],
  content: readonly Uint8Array[] = [],
  change: Partial<ExportManifest> = {},
): Member[] {
  const lines = entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
  const pieces: Member[] = content.map((bytes) => [contentName(sha256(bytes)), bytes]);
  return withEnd(
    [
      [manifestName, json({ ...manifest, ...change })],
      [listingName('Current', 0), Buffer.from(lines)],
      ...pieces,
    ],
    { entries: entries.length, content_bytes: content.reduce((sum, bytes) => sum + bytes.length, 0) },
  );
}

/** The members and an end that fits them. */
export function withEnd(
  members: readonly Member[],
  counts: { readonly entries: number; readonly content_bytes: number },
): Member[] {
  const hash = createHash('sha256');
  for (const [name, bytes] of members) for (const part of encodeMember(name, bytes)) hash.update(part);
  const end = { ...counts, problems: [], problem_count: 0, sha256: hash.digest('hex') };
  return [...members, [endName, json(end)]];
}

export function toTar(members: readonly Member[]): Buffer {
  return Buffer.concat([...members.flatMap(([name, bytes]) => [...encodeMember(name, bytes)]), tarEnd]);
}

export function pack(members: readonly Member[]): Buffer {
  return zstdCompressSync(toTar(members));
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** What every line about a thing has. */
export const meta = { mode: 0o644, uid: 0, gid: 0, mtime: '1', xattrs: [] };

export function file(
  path: unknown,
  more: Partial<Record<keyof Extract<ExportEntry, { op: 'file' }>, unknown>> = {},
) {
  return { op: 'file', path, ...meta, isNew: true, size: 0, chunks: [], ...more };
}

export function directory(path: unknown, more: Partial<typeof meta> = {}) {
  return { op: 'directory', path, ...meta, isNew: true, ...more };
}

export function symlink(path: unknown, target: unknown) {
  return { op: 'symlink', path, ...meta, target };
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
