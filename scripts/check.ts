import { spawn } from 'node:child_process';
import path from 'node:path';
import { layerProblems } from './check/layers.ts';
import { linkProblems } from './check/links.ts';
import { sourceProblems } from './check/source-rules.ts';
import { root } from './tree.ts';

type Outcome = { readonly passed: boolean; readonly report: string };
type Check = { readonly name: string; readonly run: () => Promise<Outcome> };

const checks: readonly Check[] = [
  {
    name: 'format and lint',
    run: () =>
      tool('@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '--diagnostic-level=warn', '.'),
  },
  { name: 'types', run: () => tool('typescript/bin/tsc', '--project', '.') },
  { name: 'dead code', run: () => tool('knip/bin/knip.js', '--no-progress') },
  { name: 'layers', run: () => rule(layerProblems) },
  { name: 'source rules', run: () => rule(sourceProblems) },
  { name: 'links in documents', run: () => rule(linkProblems) },
];

/** Runs every check, prints a table and the reports of those that failed, and says whether all passed. */
export async function check(): Promise<boolean> {
  const results = await Promise.all(
    checks.map(async ({ name, run }) => {
      const startedMs = performance.now();
      const outcome = await run();
      return { name, ...outcome, seconds: (performance.now() - startedMs) / 1000 };
    }),
  );
  for (const { name, passed, report } of results) {
    if (!passed) console.log(`--- ${name}\n${report.trim()}\n`);
  }
  for (const { name, passed, seconds } of results) {
    console.log(`${passed ? 'ok  ' : 'FAIL'}  ${name.padEnd(20)}${seconds.toFixed(1).padStart(5)} s`);
  }
  return results.every(({ passed }) => passed);
}

async function tool(script: string, ...args: readonly string[]): Promise<Outcome> {
  const child = spawn(process.execPath, [path.join(root, 'node_modules', script), ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said: Buffer[] = [];
  child.stdout.on('data', (bytes: Buffer) => said.push(bytes));
  child.stderr.on('data', (bytes: Buffer) => said.push(bytes));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { passed: code === 0, report: Buffer.concat(said).toString() };
}

async function rule(problems: () => Promise<readonly string[]>): Promise<Outcome> {
  const found = await problems();
  return { passed: found.length === 0, report: found.join('\n') };
}

if (import.meta.main && !(await check())) process.exitCode = 1;
