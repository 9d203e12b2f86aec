import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { root } from './tree.ts';

/** One npm package of this repository. */
export type Workspace = {
  readonly name: string;
  readonly folder: string;
  /** names of all packages it needs to run */
  readonly dependencies: readonly string[];
  /** names of packages it needs for its tests */
  readonly devDependencies: readonly string[];
  /** the keys of its export map */
  readonly exports: readonly string[];
};

/** All packages of this repository by name. */
export async function readWorkspaces(): Promise<ReadonlyMap<string, Workspace>> {
  const packages = await readdir(path.join(root, 'packages'));
  const folders = [...packages.sort().map((name) => `packages/${name}`), 'e2e', 'bench'];
  const workspaces = await Promise.all(folders.map((folder) => readWorkspace(path.join(root, folder))));
  return new Map(workspaces.map((workspace) => [workspace.name, workspace]));
}

async function readWorkspace(folder: string): Promise<Workspace> {
  const manifest: unknown = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'));
  const name = member(manifest, 'name');
  if (typeof name !== 'string') throw new Error(`${folder}/package.json has no name`);
  return {
    name,
    folder,
    dependencies: Object.keys(member(manifest, 'dependencies') ?? {}),
    devDependencies: Object.keys(member(manifest, 'devDependencies') ?? {}),
    exports: Object.keys(member(manifest, 'exports') ?? {}),
  };
}

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && key in value ? Reflect.get(value, key) : undefined;
}
