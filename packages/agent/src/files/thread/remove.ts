import { rmdirSync, unlinkSync } from 'node:fs';
import { type DeleteRequest, FileError, nameOf, parentOf } from '@sprites/contract/files';
import { attempt } from './attempt.ts';
import { type BytePath, join, toBytes, toText } from './byte-path.ts';
import type { OperationContext } from './context.ts';
import { Directory } from './directory.ts';
import { Tally } from './tally.ts';
import { type Visit, walkTree } from './walk.ts';

/** The answer to a delete. */
export type Deleted = { readonly deleted: readonly string[]; readonly count: number };

/** Deletes a file, a symlink, or a directory, with what is in it when `recursive`. Symlinks are never followed. */
export async function remove(
  { path: text, asRoot, recursive }: DeleteRequest,
  context: OperationContext,
): Promise<Deleted> {
  const path = toBytes(text);
  if (path === '/') throw new FileError('EBUSY', '/', undefined, 'delete');
  const tally = new Tally<string>();
  const parent = context.act(asRoot, () => Directory.open(parentOf(path)));
  try {
    const name = nameOf(path);
    const stats = context.act(asRoot, () => parent.describe(name));
    if (stats === undefined) throw new FileError('ENOENT', text, undefined, 'delete');
    const isDirectory = stats.isDirectory();
    if (isDirectory && recursive) {
      const top = context.act(asRoot, () => parent.openChild(name));
      const visit: Visit = (directory, entry, found) =>
        removeOne(directory, entry, found.isDirectory(), tally);
      await walkTree(top, { asRoot, visit }, context);
    }
    context.act(asRoot, () => removeOne(parent, name, isDirectory, tally));
  } finally {
    parent.close();
  }
  return { deleted: tally.first, count: tally.count };
}

function removeOne(directory: Directory, name: BytePath, isDirectory: boolean, tally: Tally<string>): void {
  const path = join(directory.path, name);
  attempt(path, () => (isDirectory ? rmdirSync : unlinkSync)(directory.at(name)));
  tally.add(toText(path));
}
