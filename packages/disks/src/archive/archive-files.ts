import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { SpriteError } from '@sprites/contract';
import { ExportManifest, manifestName, memberLimit, refuse, TarReader } from '@sprites/contract/export';
import type { Archives, IncomingArchive, OutgoingTrees, Quiet, TreeSource } from '@sprites/core';
import { hasCode } from '@sprites/linux';
import type { ReflinkDisks } from '../reflink/reflink-disks.ts';
import { unpackDisks } from './incoming.ts';
import { copyTrees } from './outgoing.ts';
import { decode, parseJson, Unpacker } from './unpack.ts';

/** Exports and imports under way at the same time; each has some megabytes of memory and a share of the processor. */
const mostAtOnce = 4;
/** Memory that an archive may ask of its reader: 2 to this power, in bytes. */
const mostWindowLog = 24;

/** Archives of sprites: made from image files of the pool, and unpacked into new ones. */
export class ArchiveFiles implements Archives {
  readonly #disks: ReflinkDisks;
  #underWay = 0;

  constructor(disks: ReflinkDisks) {
    this.#disks = disks;
  }

  async copy(id: string, trees: readonly TreeSource[], quiet: Quiet): Promise<OutgoingTrees> {
    const done = this.#begin();
    try {
      return await copyTrees(this.#disks, { id, trees, quiet, done, compress });
    } catch (error) {
      done();
      throw error;
    }
  }

  async open(bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<IncomingArchive> {
    const done = this.#begin();
    try {
      const hash = createHash('sha256');
      const plain = decompress(bytes, signal);
      const reader = new TarReader(plain.bytes, (part) => hash.update(part));
      const first = await explained(() =>
        reader.next((name) => (name === manifestName ? memberLimit(name) : undefined)),
      );
      if (first === undefined) throw refuse('it is empty');
      const manifest = parseJson(ExportManifest, decode(first.content), manifestName);
      const unpacker = new Unpacker({
        reader,
        manifest,
        hash: () => hash.copy().digest('hex'),
        finish: plain.finish,
      });
      return {
        manifest,
        unpack: (id, sizeBytes) =>
          explained(() => unpackDisks(this.#disks, { id, sizeBytes, manifest, unpacker, signal })),
        [Symbol.asyncDispose]: async () => {
          plain.bytes.destroy();
          done();
        },
      };
    } catch (error) {
      done();
      throw error;
    }
  }

  #begin(): () => void {
    if (this.#underWay >= mostAtOnce) {
      throw new SpriteError(
        'unavailable',
        `${mostAtOnce} exports and imports are under way; try again later`,
      );
    }
    this.#underWay++;
    let isDone = false;
    return () => {
      if (!isDone) this.#underWay--;
      isDone = true;
    };
  }
}

function compress(bytes: AsyncIterable<Uint8Array>, onEnd: () => void): Readable {
  const params = { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 };
  const zstd = createZstdCompress({ params });
  const plain = Readable.from(bytes, { objectMode: false });
  // an error of one is an error of the other
  void pipeline(plain, zstd)
    .catch(() => undefined)
    .finally(onEnd);
  return zstd;
}

type Plain = {
  readonly bytes: Readable;
  /** Waits for the end; rejects when the archive was cut, or something follows it. */
  readonly finish: () => Promise<void>;
};

function decompress(bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Plain {
  const zstd = createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: mostWindowLog } });
  let received = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of bytes) {
      received += chunk.length;
      yield chunk;
    }
  };
  const passing = pipeline(Readable.from(counted(), { objectMode: false }), zstd, { signal });
  passing.catch(() => undefined);
  const finish = async (): Promise<void> => {
    await passing;
    // what is behind the end zstd leaves alone
    if (zstd.bytesWritten !== received) throw refuse('something follows its end');
  };
  return { bytes: zstd, finish };
}

/** What zstd says of foreign or truncated bytes, and what an aborted request says, in our words. */
async function explained<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SpriteError) throw error;
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('ZSTD_')) {
      throw refuse('it is not compressed by zstd, or damaged', error);
    }
    if (hasCode(error, 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE', 'ABORT_ERR', 'Z_BUF_ERROR')) {
      throw refuse('it ends in the middle', error);
    }
    throw error;
  }
}
