import { type Stats, statSync } from 'node:fs';
import type { FileEntry, ListRequest } from '@sprites/contract/files';
import { attempt, failedWith } from './attempt.ts';
import { type BytePath, join, toBytes, toKernel } from './byte-path.ts';
import { type OperationContext, Pace } from './context.ts';
import { Directory, type NameReader } from './directory.ts';
import { readTarget, toEntry } from './entry.ts';
import { matchesGlob } from './glob.ts';

/** Directories up to this size are listed by name, larger ones in their own order, so that no list is held whole. */
const mostSorted = 10_000;
const entriesPerPiece = 200;

/** Some entries of a listing, as JSON texts joined by commas. */
export type ListPiece = { readonly text: string; readonly count: number };

/** One directory under way: the names read already, and where the others come from. */
type Level = { readonly directory: Directory; readonly reader: NameReader; names: BytePath[]; next: number };

/** Lists a directory, of any size in bounded memory; of a file it tells the file itself. */
export async function* list(request: ListRequest, context: OperationContext): AsyncGenerator<ListPiece> {
  const path = toBytes(request.path);
  const { act } = context;
  const stats = act(request.asRoot, () => attempt(path, () => statSync(toKernel(path))));
  if (request.itself || !stats.isDirectory()) {
    yield toPiece([toEntry(path, stats)]);
    return;
  }
  const pace = new Pace(context);
  const levels = [act(request.asRoot, () => openLevel(Directory.open(path)))];
  try {
    while (levels.length > 0) {
      const entries = act(request.asRoot, () => takeEntries(levels, request, pace));
      if (entries.length > 0) yield toPiece(entries);
      await pace.rest();
    }
  } finally {
    for (const level of levels) close(level);
  }
}

function toPiece(entries: readonly FileEntry[]): ListPiece {
  return { text: entries.map((entry) => JSON.stringify(entry)).join(','), count: entries.length };
}

function openLevel(directory: Directory): Level {
  try {
    const reader = directory.readNames();
    const names = reader.take(mostSorted);
    if (names.length < mostSorted) names.sort();
    return { directory, reader, names, next: 0 };
  } catch (error) {
    directory.close();
    throw error;
  }
}

function close({ directory, reader }: Level): void {
  reader.close();
  directory.close();
}

/** Goes on with the walk until there is a piece or the time is up. */
function takeEntries(levels: Level[], request: ListRequest, pace: Pace): FileEntry[] {
  const entries: FileEntry[] = [];
  while (entries.length < entriesPerPiece && !pace.isDue) {
    const level = levels.at(-1);
    if (level === undefined) break;
    const name = takeName(level);
    if (name === undefined) {
      levels.pop();
      close(level);
      continue;
    }
    const stats = level.directory.describe(name);
    if (stats === undefined) continue;
    const problem = request.recursive && stats.isDirectory() ? descend(levels, level, name) : undefined;
    const entry = { ...describeEntry(level.directory, name, stats), ...problem };
    if (request.pattern === undefined || matchesGlob(request.pattern, entry.name)) entries.push(entry);
  }
  return entries;
}

function takeName(level: Level): BytePath | undefined {
  if (level.next === level.names.length) {
    level.names = level.reader.take(entriesPerPiece);
    level.next = 0;
  }
  return level.names[level.next++];
}

/** Makes a directory the next to be listed; one that must not be read only says so. */
function descend(levels: Level[], level: Level, name: BytePath): { readonly error: string } | undefined {
  try {
    levels.push(openLevel(level.directory.openChild(name)));
    return undefined;
  } catch (error) {
    if (failedWith(error, 'ENOENT', 'ENOTDIR')) return undefined;
    if (error instanceof Error && 'code' in error) return { error: String(error.code) };
    throw error;
  }
}

function describeEntry(directory: Directory, name: BytePath, stats: Stats): FileEntry {
  const target = stats.isSymbolicLink() ? readTarget(directory.at(name)) : undefined;
  return toEntry(join(directory.path, name), stats, target);
}
