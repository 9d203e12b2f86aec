import { execFile } from 'node:child_process';
import { access, open } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Sprite } from '@sprites/sdk';
import type { TestServer } from '@sprites/testkit';

/** The file that holds the live disk of a sprite on the host. */
export function diskFile(server: TestServer, sprite: Sprite): string {
  return path.join(server.dataDir, 'pool/disks', `${idOf(sprite)}.ext4`);
}

/** The file that holds a checkpoint on the host, or its checksums. */
export function checkpointFile(
  server: TestServer,
  sprite: Sprite,
  id: string,
  kind: 'ext4' | 'sums' = 'ext4',
): string {
  return path.join(server.dataDir, 'pool/checkpoints', idOf(sprite), `${id}.${kind}`);
}

export async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

/** Flips a bit in the first place where the file holds the text. */
export async function flipAt(file: string, text: string): Promise<void> {
  const { stdout } = await promisify(execFile)('grep', ['-obUa', '-m1', text, file], {
    maxBuffer: 64 * 1024 ** 2,
  });
  await flip(file, Number.parseInt(stdout, 10));
}

/** Flips a bit of a file. */
export async function flip(file: string, offset: number): Promise<void> {
  await using handle = await open(file, 'r+');
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, offset);
  buffer.writeUInt8(buffer.readUInt8() ^ 1);
  await handle.write(buffer, 0, 1, offset);
  await handle.sync();
}

function idOf({ info, name }: Sprite): string {
  if (info === undefined) throw new Error(`the handle of ${name} does not know its id`);
  return info.id;
}
