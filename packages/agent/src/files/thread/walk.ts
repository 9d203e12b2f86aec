import type { Stats } from 'node:fs';
import type { BytePath } from './byte-path.ts';
import { type OperationContext, Pace } from './context.ts';
import type { Directory, NameReader } from './directory.ts';

const entriesPerSlice = 200;

/** What is done with each entry, in the directory it lies in; a directory comes after all that is in it. */
export type Visit = (directory: Directory, name: BytePath, stats: Stats) => void;

/** A directory under way; `stats` are its own, `name` the one it has in the directory above. */
type Level = {
  readonly directory: Directory;
  readonly reader: NameReader;
  readonly name: BytePath;
  readonly stats: Stats;
};

/**
 * Visits everything in a directory, at any depth, but not itself. Symlinks are visited, not followed. Closes `top` in
 * the end.
 */
export async function walkTree(
  top: Directory,
  { asRoot, visit }: { readonly asRoot: boolean; readonly visit: Visit },
  context: OperationContext,
): Promise<void> {
  const pace = new Pace(context);
  const levels: Level[] = [];
  try {
    context.act(asRoot, () => enter(levels, top, '', top.describeSelf()));
    while (levels.length > 0) {
      context.act(asRoot, () => visitSome(levels, visit));
      await pace.rest();
    }
  } finally {
    for (const level of levels) close(level);
    top.close();
  }
}

function enter(levels: Level[], directory: Directory, name: BytePath, stats: Stats): void {
  levels.push({ directory, reader: directory.readNames(), name, stats });
}

function visitSome(levels: Level[], visit: Visit): void {
  for (let count = 0; count < entriesPerSlice; count++) {
    const level = levels.at(-1);
    if (level === undefined) return;
    const [name] = level.reader.take(1);
    const stats = name === undefined ? undefined : level.directory.describe(name);
    if (name === undefined) {
      levels.pop();
      const above = levels.at(-1);
      close(level);
      if (above !== undefined) visit(above.directory, level.name, level.stats);
    } else if (stats?.isDirectory() === true) {
      enterChild(levels, level.directory, name, stats);
    } else if (stats !== undefined) {
      visit(level.directory, name, stats);
    }
  }
}

function enterChild(levels: Level[], parent: Directory, name: BytePath, stats: Stats): void {
  const directory = parent.openChild(name);
  try {
    enter(levels, directory, name, stats);
  } catch (error) {
    directory.close();
    throw error;
  }
}

function close({ directory, reader }: Level): void {
  reader.close();
  directory.close();
}
