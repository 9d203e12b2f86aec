import { lstatSync, mkdirSync, renameSync } from 'node:fs';
import { SpriteError } from '@sprites/contract/errors';
import type { RestoreOrder, RestoreResult } from '@sprites/contract/restore';
import { exchange } from './attributes.ts';
import { finish, TreeCopy } from './copy-tree.ts';
import { hasCode, OpenDirectory } from './open-directory.ts';

/** What is no part of the sprite's disk. */
const foreign = new Set(['proc', 'sys', 'dev', '.sprite']);

/**
 * Makes paths of the file tree at `root` as they are in the tree at `source`: each is copied beside its place and then
 * changes places with what is there, in one step. The source must not change meanwhile. What cannot be done for any of
 * them is refused before anything is changed.
 */
export function restorePaths(
  { source, paths, remove }: RestoreOrder & { readonly source: string },
  root = '/',
): RestoreResult {
  const from = Buffer.from(source);
  if (!hasNames(from)) {
    throw new SpriteError(
      'unavailable',
      'the checkpoint cannot be shown inside the sprite; restore all of it',
    );
  }
  const all = paths.map(toNames);
  for (const names of all) check(from, names, remove);
  let [restored, removed] = [0, 0];
  for (const names of all) {
    using sourceParent = findParent(from, names);
    if (sourceParent !== undefined && exists(sourceParent, names)) {
      using parent = makeParent(from, Buffer.from(root), names);
      restored += put(sourceParent, parent, names.at(-1) ?? '');
    } else {
      using parent = findParent(Buffer.from(root), names);
      if (parent !== undefined && takeAway(parent, names.at(-1) ?? '')) removed++;
    }
  }
  return { restored, removed };
}

/** A checkpoint that could not be mounted is not there, or empty. */
function hasNames(source: Buffer): boolean {
  try {
    using directory = OpenDirectory.open(source);
    return directory.names().length > 0;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

function toNames(path: string): readonly string[] {
  return path
    .split('/')
    .filter((name) => name !== '')
    .map((name) => Buffer.from(name).toString('latin1'));
}

function check(source: Buffer, names: readonly string[], remove: boolean): void {
  const [top] = names;
  if (top === undefined) {
    throw new SpriteError('invalid_request', 'for all of / restore the checkpoint without paths');
  }
  if (foreign.has(top)) {
    throw new SpriteError('invalid_request', `/${top} is not part of the sprite's files`);
  }
  using parent = findParent(source, names);
  if (remove || (parent !== undefined && exists(parent, names))) return;
  throw new SpriteError(
    'path_not_found',
    `the checkpoint has no ${pathOf(names)}; ask for its removal to have it as it was then`,
  );
}

function pathOf(names: readonly string[]): string {
  return `/${Buffer.from(names.join('/'), 'latin1').toString()}`;
}

function exists(parent: OpenDirectory, names: readonly string[]): boolean {
  return lstatSync(parent.at(names.at(-1) ?? ''), { throwIfNoEntry: false }) !== undefined;
}

/** The directory that holds the last of the names; undefined when it is not there, or not reached by directories alone. */
function findParent(root: Buffer, names: readonly string[]): OpenDirectory | undefined {
  let directory = OpenDirectory.open(root);
  try {
    for (const name of names.slice(0, -1)) {
      using outer = directory;
      directory = outer.child(name);
    }
    return directory;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
    throw error;
  }
}

/** The directory to put the last of the names in; those on the way that are missing are made as they are in the source. */
function makeParent(source: Buffer, root: Buffer, names: readonly string[]): OpenDirectory {
  let directory = OpenDirectory.open(root);
  let original = OpenDirectory.open(source);
  for (const [index, name] of names.slice(0, -1).entries()) {
    using outer = directory;
    using outerOriginal = original;
    const [from, to] = [outerOriginal.at(name), outer.at(name)];
    if (lstatSync(to, { throwIfNoEntry: false }) === undefined) {
      mkdirSync(to, 0o700);
      finish(from, to, lstatSync(from, { bigint: true }));
    }
    original = outerOriginal.child(name);
    directory = openHere(outer, name, names.slice(0, index + 1));
  }
  original[Symbol.dispose]();
  return directory;
}

function openHere(outer: OpenDirectory, name: string, names: readonly string[]): OpenDirectory {
  try {
    return outer.child(name);
  } catch (error) {
    if (!hasCode(error, 'ENOTDIR', 'ELOOP')) throw error;
    throw new SpriteError(
      'invalid_request',
      `${pathOf(names)} is no directory now; restore that path itself`,
    );
  }
}

/** Copies beside the place, then changes places. Nobody but root reaches the copy before, or what was there after. */
function put(source: OpenDirectory, parent: OpenDirectory, name: string): number {
  const staging = stagingName();
  mkdirSync(parent.at(staging), 0o700);
  try {
    using directory = parent.child(staging);
    const copy = new TreeCopy(directory);
    copy.copy(source, name);
    if (lstatSync(parent.at(name), { throwIfNoEntry: false }) === undefined) {
      renameSync(directory.at(name), parent.at(name));
    } else exchange(directory.at(name), parent.at(name));
    return copy.count;
  } finally {
    parent.remove(staging);
  }
}

function takeAway(parent: OpenDirectory, name: string): boolean {
  if (lstatSync(parent.at(name), { throwIfNoEntry: false }) === undefined) return false;
  const staging = stagingName();
  mkdirSync(parent.at(staging), 0o700);
  {
    using directory = parent.child(staging);
    renameSync(parent.at(name), directory.at(name));
  }
  parent.remove(staging);
  return true;
}

/** Loaded only here: it would take a tenth of the agent's start. */
function stagingName(): string {
  return `.sprite-restore-${process.getBuiltinModule('node:crypto').randomBytes(6).toString('hex')}`;
}
