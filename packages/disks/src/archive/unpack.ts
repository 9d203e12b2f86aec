import { createHash } from 'node:crypto';
import {
  contentName,
  ExportEnd,
  ExportEntry,
  type ExportManifest,
  type ExportTree,
  endName,
  listingName,
  memberLimit,
  refuse,
  type TarMember,
  type TarReader,
} from '@sprites/contract/export';
import type { z } from 'zod';
import { TreeWriter } from './tree-writer.ts';

/** Where trees are written to. */
export type TreePlaces = {
  /** Opens the disk of a tree, with the files of its base if it has one; what was written is on it when it is closed. */
  readonly open: (tree: ExportTree) => Promise<{ readonly root: Buffer; close(): Promise<void> }>;
  /** Is called from time to time; throws when there is no room for more. */
  readonly check: () => Promise<void>;
};

/** An archive whose manifest was read. */
export type OpenArchive = {
  readonly reader: TarReader;
  readonly manifest: ExportManifest;
  /** Digest of all members that were read so far. */
  readonly hash: () => string;
  /** Waits for the end of the stream the archive is in; throws when it is not where it should be. */
  readonly finish: () => Promise<void>;
};

/** Content written between two looks at the space that is left, in bytes. */
const checkEveryBytes = 64 * 1024 * 1024;

/** Reads an archive behind its manifest and writes its trees. */
export class Unpacker {
  readonly #archive: OpenArchive;
  #next: TarMember | undefined;
  #hashBefore = '';
  #entries = 0;
  #contentBytes = 0;
  #uncheckedBytes = 0;

  constructor(archive: OpenArchive) {
    this.#archive = archive;
  }

  async unpack(places: TreePlaces, signal: AbortSignal): Promise<ExportEnd> {
    await this.#advance();
    for (const tree of this.#archive.manifest.trees) await this.#tree(tree, places, signal);
    const end = this.#next;
    if (end?.name !== endName) throw refuse(`${endName} is missing`);
    const record = parseJson(ExportEnd, decode(end.content), endName);
    const isWhole =
      record.entries === this.#entries &&
      record.content_bytes === this.#contentBytes &&
      record.sha256 === this.#hashBefore;
    if (!isWhole) throw refuse('its checksum is wrong');
    await this.#advance();
    if (this.#next !== undefined) throw refuse(`something follows ${endName}`);
    await this.#archive.finish();
    return record;
  }

  async #tree(tree: ExportTree, places: TreePlaces, signal: AbortSignal): Promise<void> {
    const disk = await places.open(tree);
    const writer = new TreeWriter(disk.root);
    try {
      const budget = { bytes: tree.most_bytes, entries: tree.most_entries };
      for (let part = 0; part === 0 || this.#next?.name === listingName(tree.id, part); part++) {
        signal.throwIfAborted();
        if (this.#next?.name !== listingName(tree.id, part))
          throw refuse(`the files of ${tree.id} are missing`);
        const lines = decode(this.#next.content).split('\n');
        if (lines.pop() !== '') throw refuse('a listing ends in the middle of a line');
        await this.#advance();
        for (const line of lines)
          await this.#entry(parseJson(ExportEntry, line, 'a listing'), writer, budget, places);
        await places.check();
      }
      await writer.finishFile();
    } finally {
      await writer.close();
      await disk.close();
    }
  }

  async #entry(
    entry: ExportEntry,
    writer: TreeWriter,
    budget: { bytes: number; entries: number },
    places: TreePlaces,
  ): Promise<void> {
    this.#entries++;
    const isNew = entry.op === 'symlink' || entry.op === 'node' || ('isNew' in entry && entry.isNew);
    if (isNew && --budget.entries < 0) throw refuse('it holds more files than it promised');
    await writer.apply(entry);
    if (entry.op !== 'file' && entry.op !== 'more') return;
    for (const chunk of entry.chunks) {
      if ('hole' in chunk) {
        await writer.write(chunk, undefined);
        continue;
      }
      budget.bytes -= chunk.length;
      if (budget.bytes < 0) throw refuse('it holds more content than it promised');
      await writer.write(chunk, await this.#content(chunk.sha256, chunk.length));
      await this.#count(chunk.length, places);
    }
  }

  async #content(sha256: string, length: number): Promise<Uint8Array> {
    const member = this.#next;
    if (member?.name !== contentName(sha256)) throw refuse(`${contentName(sha256)} is missing`);
    const actual = createHash('sha256').update(member.content).digest('hex');
    if (member.content.length !== length || actual !== sha256) throw refuse(`${member.name} is damaged`);
    await this.#advance();
    return member.content;
  }

  async #count(bytes: number, places: TreePlaces): Promise<void> {
    this.#contentBytes += bytes;
    this.#uncheckedBytes += bytes;
    if (this.#uncheckedBytes < checkEveryBytes) return;
    this.#uncheckedBytes = 0;
    await places.check();
  }

  async #advance(): Promise<void> {
    this.#hashBefore = this.#archive.hash();
    this.#next = await this.#archive.reader.next(memberLimit);
  }
}

/** Parses JSON of a member. */
export function parseJson<S extends z.ZodType>(schema: S, text: string, what: string): z.output<S> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw refuse(`${what} is not JSON`, cause);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw refuse(`${what}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.slice(0, 300));
}

/** Text of a member; what is no UTF-8 is refused. */
export function decode(content: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch (cause) {
    throw refuse('a member is not text', cause);
  }
}
