import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import zlib from 'node:zlib';
import { ExportEnd, endName, memberLimit, TarReader } from '@sprites/contract/export';
import { CliError } from '../cli-error.ts';

/**
 * Reads an export to its end and returns its last member. Throws when it is not whole, or was changed on the way. Undefined
 * on a Node that knows no zstd, which is older than 22.15: then nothing was checked.
 */
export async function checkArchive(bytes: AsyncIterable<Uint8Array>): Promise<ExportEnd | undefined> {
  if (typeof zlib.createZstdDecompress !== 'function') {
    for await (const _ of bytes);
    return undefined;
  }
  const zstd = zlib.createZstdDecompress();
  const passing = pipeline(Readable.from(bytes, { objectMode: false }), zstd);
  const reading = readEnd(zstd);
  const [passed, read] = await Promise.allSettled([passing, reading]);
  if (read.status === 'fulfilled' && passed.status === 'fulfilled') return read.value;
  const failure = passed.status === 'rejected' ? passed.reason : read.status === 'rejected' && read.reason;
  throw new CliError('the export came incomplete or damaged; try again', { cause: failure });
}

async function readEnd(plain: AsyncIterable<Uint8Array>): Promise<ExportEnd> {
  const hash = createHash('sha256');
  let before = '';
  let end: ExportEnd | undefined;
  const reader = new TarReader(plain, (part) => hash.update(part));
  for (;;) {
    before = hash.copy().digest('hex');
    const member = await reader.next(memberLimit);
    if (member === undefined) break;
    if (end !== undefined) throw new Error(`${member.name} follows ${endName}`);
    if (member.name !== endName) continue;
    end = ExportEnd.parse(JSON.parse(new TextDecoder().decode(member.content)));
    if (end.sha256 !== before) throw new Error('the checksum is wrong');
  }
  if (end === undefined) throw new Error(`${endName} is missing`);
  return end;
}
