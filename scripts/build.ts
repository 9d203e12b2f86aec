import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { runScript } from './program.ts';
import { listSources, root } from './tree.ts';
import { readWorkspaces, type Workspace } from './workspaces.ts';

const lockFile = path.join(root, 'node_modules/.cache/sprites-build.lock');
const stampName = '.built-from';

/**
 * Builds every package that has a `rolldown.config.ts` and whose inputs changed since its last build.
 * Processes that build at the same time wait for each other.
 */
export async function build(): Promise<void> {
  const stale = await stalePackages();
  if (stale.length === 0) return;
  console.log(`Building ${stale.map((one) => one.name).join(', ')} …`);
  await mkdir(path.dirname(lockFile), { recursive: true });
  await run('flock', [lockFile, process.execPath, import.meta.filename, '--locked'], root);
}

async function buildStale(): Promise<void> {
  const rolldown = path.join(root, 'node_modules/rolldown/bin/cli.mjs');
  await Promise.all(
    (await stalePackages()).map(async ({ folder, inputHash }) => {
      await run(
        process.execPath,
        [rolldown, '--config', 'rolldown.config.ts', '--log-level', 'warn'],
        folder,
      );
      await writeFile(path.join(folder, 'dist', stampName), inputHash);
    }),
  );
}

type StalePackage = { readonly name: string; readonly folder: string; readonly inputHash: string };

async function stalePackages(): Promise<readonly StalePackage[]> {
  const workspaces = await readWorkspaces();
  const stale: StalePackage[] = [];
  for (const workspace of workspaces.values()) {
    const sources = await listSources(workspace.folder);
    if (!sources.some((file) => file.endsWith('/rolldown.config.ts'))) continue;
    const inputHash = await hashInputs(workspace, workspaces);
    const stamp = path.join(workspace.folder, 'dist', stampName);
    const built = await readFile(stamp, 'utf8').catch(() => '');
    if (built !== inputHash) stale.push({ name: workspace.name, folder: workspace.folder, inputHash });
  }
  return stale;
}

async function hashInputs(target: Workspace, all: ReadonlyMap<string, Workspace>): Promise<string> {
  const hash = createHash('sha256');
  for (const name of [...closure(target.name, all)].sort()) {
    const folder = all.get(name)?.folder ?? '';
    const files = (await listSources(folder)).filter((file) => !file.endsWith('.test.ts'));
    for (const file of files) hash.update(`${path.relative(root, file)}\0`).update(await readFile(file));
  }
  return hash.update(await readFile(path.join(root, 'package-lock.json'))).digest('hex');
}

function closure(name: string, all: ReadonlyMap<string, Workspace>, seen = new Set<string>()): Set<string> {
  if (seen.has(name) || !all.has(name)) return seen;
  seen.add(name);
  for (const next of all.get(name)?.dependencies ?? []) closure(next, all, seen);
  return seen;
}

/** Runs a program quietly; what it said is in the error when it fails. */
async function run(command: string, args: readonly string[], cwd: string): Promise<void> {
  try {
    await promisify(execFile)(command, args, { cwd, maxBuffer: 16 * 1024 * 1024 });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { readonly stdout?: string; readonly stderr?: string };
    throw new Error(`building in ${path.relative(root, cwd) || '.'} failed:\n${stdout}${stderr}`, {
      cause: error,
    });
  }
}

if (import.meta.main) await runScript(process.argv.includes('--locked') ? buildStale : build);
