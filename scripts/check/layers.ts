import { readFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { listSources, root } from '../tree.ts';
import { readWorkspaces, type Workspace } from '../workspaces.ts';
import { importsOf } from './imports.ts';

/** Which packages of ours a package may import: dependencies point one way. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  '@sprites/contract': [],
  '@sprites/core': ['contract'],
  '@sprites/linux': ['contract'],
  '@sprites/store': ['contract', 'core'],
  '@sprites/disks': ['contract', 'core', 'linux'],
  '@sprites/drivers': ['contract', 'core', 'linux'],
  '@sprites/network': ['contract', 'core', 'linux'],
  '@sprites/server': ['agent', 'sprite-env', 'contract', 'core', 'store', 'disks', 'drivers', 'network'],
  '@sprites/agent': ['contract'],
  '@sprites/sprite-env': ['contract'],
  '@sprites/sdk': ['contract'],
  '@sprites/cli': ['contract', 'sdk'],
  '@sprites/testkit': ['contract', 'core'],
  '@sprites/e2e': ['contract', 'sdk', 'testkit'],
  '@sprites/bench': ['contract', 'sdk', 'testkit'],
};

/** Packages that must run anywhere, so without anything of Node. */
const portable = new Set(['@sprites/contract', '@sprites/core']);

/** Packages of implementations, which only the places that put the server together may name. */
const implementations = new Set(['@sprites/store', '@sprites/disks', '@sprites/drivers', '@sprites/network']);
const composers = /^packages\/server\/src\/(compose|compose-host|compose-guard|main|commands\/[a-z]+)\.ts$/;

type Import = { readonly file: string; readonly from: Workspace; readonly specifier: string };

/** Every place where the code breaks the layers of docs/architecture.md, as `file: what is wrong`. */
export async function layerProblems(): Promise<readonly string[]> {
  const all = await readWorkspaces();
  const imports = await readImports([...all.values()]);
  return [
    ...[...all.values()].flatMap((workspace) => manifestProblems(workspace)),
    ...imports.flatMap((one) => importProblem(one, all) ?? []),
  ];
}

function manifestProblems(workspace: Workspace): readonly string[] {
  const allowed = arrows[workspace.name];
  if (allowed === undefined) return [`${workspace.name}: has no place in scripts/check/layers.ts`];
  return workspace.dependencies
    .filter((name) => name.startsWith('@sprites/') && !allowed.includes(name.slice('@sprites/'.length)))
    .map((name) => `${path.relative(root, workspace.folder)}/package.json: must not depend on ${name}`);
}

function importProblem(one: Import, all: ReadonlyMap<string, Workspace>): string | undefined {
  const { file, from, specifier } = one;
  if (specifier.startsWith('.')) return relativeProblem(one);
  if (isBuiltin(specifier)) {
    if (!portable.has(from.name) || isTest(file)) return undefined;
    return `${file}: ${from.name} must not import ${specifier}`;
  }
  if (!specifier.startsWith('@sprites/')) return undefined;
  const target = specifier.split('/').slice(0, 2).join('/');
  const exported = all.get(target)?.exports.includes(`.${specifier.slice(target.length)}`);
  if (exported !== true) return `${file}: ${specifier} is not in the export map of ${target}`;
  if (target === from.name) return undefined;
  if (!mayImport(from, target, file)) return `${file}: ${from.name} must not import ${specifier}`;
  if (
    implementations.has(target) &&
    from.name === '@sprites/server' &&
    !composers.test(file) &&
    !isTest(file)
  ) {
    return `${file}: only compose.ts and main.ts may name ${specifier}`;
  }
  return undefined;
}

function relativeProblem({ file, from, specifier }: Import): string | undefined {
  const target = path.resolve(root, path.dirname(file), specifier);
  if (target.startsWith(`${from.folder}/`)) return undefined;
  return `${file}: ${specifier} leaves the package; import it by name`;
}

function mayImport(from: Workspace, target: string, file: string): boolean {
  if (arrows[from.name]?.includes(target.slice('@sprites/'.length)) === true) return true;
  return isTest(file) && from.devDependencies.includes(target);
}

function isTest(file: string): boolean {
  return /\.test\.ts$|\/testing\/|\/rolldown\.config\.ts$/.test(file);
}

async function readImports(workspaces: readonly Workspace[]): Promise<readonly Import[]> {
  const perWorkspace = await Promise.all(
    workspaces.map(async (from) => {
      const files = (await listSources(from.folder)).filter((file) => file.endsWith('.ts'));
      const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
      return files.flatMap((file, index) =>
        importsOf(texts[index] ?? '').map((specifier) => ({
          file: path.relative(root, file),
          from,
          specifier,
        })),
      );
    }),
  );
  return perWorkspace.flat();
}
