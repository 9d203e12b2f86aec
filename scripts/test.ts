import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { findLeaks, type Owner, ownerOf, prepareTestImages, sweep } from '@sprites/testkit';
import { ensurePackages, testPackages } from './apt.ts';
import { build } from './build.ts';
import { check } from './check.ts';
import { runProgram, runScript } from './program.ts';
import { addCounts, type Counts, parseReport } from './test/report.ts';
import { root } from './tree.ts';

const stages = ['check', 'unit', 'e2e'] as const;
type Stage = (typeof stages)[number];

/** What one run has for itself, so that two runs on one host do not meet. */
type Run = { readonly folder: string; readonly filters: readonly string[] };

const usage = `npm test [-- [--only check|unit|e2e] [file filter …]]
Installs what is missing, builds, checks, and runs all tests. Needs root: the tests start real machines.`;

async function main(): Promise<void> {
  const { chosen, filters } = parseArguments(process.argv.slice(2));
  await ensurePackages(testPackages);
  await build();
  await using run = await openRun(filters);
  const counts: Counts[] = [];
  if (chosen.has('check')) counts.push(await stage(async () => failures((await check()) ? 0 : 1)));
  if (chosen.has('unit')) counts.push(await stage(() => vitest('unit', run, {})));
  if (chosen.has('e2e')) counts.push(await stage(() => endToEnd(run)));
  counts.push(failures(await reportLeaks(run)));
  const sum = addCounts(counts);
  console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
  if (sum.failed > 0) process.exitCode = 1;
}

/** A stage that cannot run is a failure; the others still run and tell what they know. */
async function stage(run: () => Promise<Counts>): Promise<Counts> {
  try {
    return await run();
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return failures(1);
  }
}

async function endToEnd(run: Run): Promise<Counts> {
  return await vitest('e2e', run, { SPRITES_E2E_IMAGES: await prepareTestImages(['minimal', 'standard']) });
}

function parseArguments(args: readonly string[]): {
  readonly chosen: ReadonlySet<Stage>;
  readonly filters: readonly string[];
} {
  const only = args[0] === '--only' ? stages.find((stage) => stage === args[1]) : undefined;
  const filters = only === undefined ? args : args.slice(2);
  const option = filters.find((filter) => filter.startsWith('-'));
  if (option !== undefined) throw new Error(`unknown option ${option}\n${usage}`);
  return { chosen: new Set(only === undefined ? stages : [only]), filters };
}

async function openRun(filters: readonly string[]): Promise<Run & AsyncDisposable> {
  // Short, because sockets lie below it and their paths may have 107 bytes.
  const folder = await mkdtemp('/var/tmp/st-');
  await mkdir(path.join(folder, 'tmp'));
  return {
    folder,
    filters,
    async [Symbol.asyncDispose]() {
      const left = await findLeaks({ folders: [folder] });
      // What is still mounted there must not be removed through the mount.
      if (left.length === 0) await rm(folder, { recursive: true, force: true });
    },
  };
}

async function vitest(project: string, run: Run, extra: Readonly<Record<string, string>>): Promise<Counts> {
  const reportFile = path.join(run.folder, `${project}.json`);
  const code = await runProgram(
    process.execPath,
    [
      path.join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      ...['--project', project, '--passWithNoTests'],
      ...['--reporter', 'default', '--reporter', 'json', `--outputFile.json=${reportFile}`],
      ...run.filters,
    ],
    {
      env: {
        ...process.env,
        ...extra,
        TMPDIR: path.join(run.folder, 'tmp'),
        SPRITES_E2E_DIR: serversFolder(run),
      },
    },
  );
  const counts = parseReport(await readFile(reportFile, 'utf8').catch(() => ''));
  // A file that does not load, or a failure outside of any test, is a failure too.
  return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

async function reportLeaks(run: Run): Promise<number> {
  const all = [{ folders: [run.folder] }, ...(await owners(run))];
  const left = new Set((await Promise.all(all.map(findLeaks))).flat());
  if (left.size === 0) return 0;
  console.log(`The tests left on this host:\n  ${[...left].join('\n  ')}`);
  for (const owner of all) await sweep(owner);
  return 1;
}

/** A server that was closed has no data directory any more; of the others the kernel may still hold something. */
async function owners(run: Run): Promise<readonly Owner[]> {
  const names = await readdir(serversFolder(run)).catch(() => []);
  return names.map((name) => ownerOf(path.join(serversFolder(run), name)));
}

function serversFolder(run: Run): string {
  return path.join(run.folder, 'servers');
}

function failures(failed: number): Counts {
  return { passed: 0, failed, skipped: 0 };
}

await runScript(main);
