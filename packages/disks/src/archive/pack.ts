import { createHash } from 'node:crypto';
import {
  contentName,
  type ExportChunk,
  type ExportEnd,
  type ExportEntry,
  type ExportManifest,
  encodeMember,
  endName,
  listingName,
  manifestName,
  tarEnd,
} from '@sprites/contract/export';
import { type Step, TreeComparison } from './compare-trees.ts';
import { openTree } from './open-tree.ts';
import type { Problems } from './problems.ts';

/** Content held until the lines that name it are written, in bytes. */
const mostHeldBytes = 8 * 1024 * 1024;
const mostTextBytes = 1024 * 1024;
/** A name may be in the text of a line several times as long as it is. */
const mostChunks = 2000;

export type PackedTree = { readonly id: string; readonly file: string; readonly takenAtMs: number };

export type PackOptions = {
  readonly manifest: ExportManifest;
  /** the image files of the manifest's trees */
  readonly trees: ReadonlyMap<string, PackedTree>;
  readonly problems: Problems;
};

/** Writes an archive, uncompressed. Memory stays flat, however much there is. */
export class Packer {
  readonly #options: PackOptions;
  readonly #hash = createHash('sha256');
  #entries = 0;
  #contentBytes = 0;
  #part = 0;
  #lines: string[] = [];
  #textBytes = 0;
  #held: { readonly sha256: string; readonly bytes: Buffer }[] = [];
  #heldBytes = 0;

  constructor(options: PackOptions) {
    this.#options = options;
  }

  async *pack(): AsyncGenerator<Uint8Array> {
    const { manifest, problems } = this.#options;
    yield* this.#member(manifestName, encodeJson(manifest));
    for (const { id, base } of manifest.trees) yield* this.#tree(id, base);
    const end: ExportEnd = {
      entries: this.#entries,
      content_bytes: this.#contentBytes,
      problems: [...problems.kept],
      problem_count: problems.count,
      sha256: this.#hash.digest('hex'),
    };
    yield* encodeMember(endName, encodeJson(end));
    yield tarEnd;
  }

  async *#tree(id: string, base: string | undefined): AsyncGenerator<Uint8Array> {
    const { problems } = this.#options;
    const now = this.#find(id);
    const was = base === undefined ? undefined : this.#find(base);
    await using stack = new AsyncDisposableStack();
    const tree = stack.use(await openTree(now.file));
    const before = was && { root: stack.use(await openTree(was.file)).root, takenAtMs: was.takenAtMs };
    this.#part = 0;
    for await (const step of new TreeComparison({ tree: id, root: tree.root, before, problems }).steps()) {
      yield* this.#step(id, step);
    }
    // also a tree without a difference has a listing
    if (this.#lines.length > 0 || this.#part === 0) yield* this.#flush(id);
  }

  async *#step(tree: string, { entry, pieces }: Step): AsyncGenerator<Uint8Array> {
    if (pieces === undefined || entry.op !== 'file') {
      this.#add(entry);
    } else {
      let line: ExportEntry & { readonly chunks: ExportChunk[] } = { ...entry, chunks: [] };
      for await (const piece of pieces) {
        line.chunks.push(this.#hold(piece));
        if (this.#heldBytes < mostHeldBytes && line.chunks.length < mostChunks) continue;
        this.#add(line);
        yield* this.#flush(tree);
        line = { op: 'more', chunks: [] };
      }
      if (line.op === 'file' || line.chunks.length > 0) this.#add(line);
    }
    if (this.#textBytes >= mostTextBytes || this.#heldBytes >= mostHeldBytes) yield* this.#flush(tree);
  }

  #hold(piece: Parameters<typeof toChunk>[0]): ExportChunk {
    const chunk = toChunk(piece);
    if ('sha256' in chunk && 'bytes' in piece) {
      this.#held.push({ sha256: chunk.sha256, bytes: piece.bytes });
      this.#heldBytes += piece.bytes.length;
      this.#contentBytes += piece.bytes.length;
    }
    return chunk;
  }

  #add(entry: ExportEntry): void {
    const line = `${JSON.stringify(entry)}\n`;
    this.#lines.push(line);
    this.#textBytes += Buffer.byteLength(line);
    this.#entries++;
  }

  *#flush(tree: string): Generator<Uint8Array> {
    yield* this.#member(listingName(tree, this.#part++), Buffer.from(this.#lines.join('')));
    for (const { sha256, bytes } of this.#held) yield* this.#member(contentName(sha256), bytes);
    this.#lines = [];
    this.#textBytes = 0;
    this.#held = [];
    this.#heldBytes = 0;
  }

  *#member(name: string, content: Uint8Array): Generator<Uint8Array> {
    for (const bytes of encodeMember(name, content)) {
      this.#hash.update(bytes);
      yield bytes;
    }
  }

  #find(id: string): PackedTree {
    const tree = this.#options.trees.get(id);
    if (tree === undefined) throw new Error(`there is no tree ${id} to export`);
    return tree;
  }
}

function toChunk(
  piece:
    | { readonly at: number; readonly bytes: Buffer }
    | { readonly at: number; readonly length: number; readonly hole: true },
): ExportChunk {
  if ('hole' in piece) return piece;
  const sha256 = createHash('sha256').update(piece.bytes).digest('hex');
  return { at: piece.at, length: piece.bytes.length, sha256 };
}

function encodeJson(value: unknown): Uint8Array {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}
