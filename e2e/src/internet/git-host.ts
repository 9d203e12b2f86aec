import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runProgram } from '../program.ts';
import { type Authority, issueCertificate } from './authority.ts';

const program = path.join(import.meta.dirname, 'git-server.ts');

/** A computer on the internet as far as sprites can tell: one hop behind this host, at a public address. */
export type GitHost = AsyncDisposable & {
  readonly address: string;
  /** HTTPS address without a slash at the end; answers `/hello` and git */
  readonly url: string;
};

/** Starts a git server in a network of its own, with a repository `demo.git` of one file `README`. */
export async function openGitHost(authority: Authority): Promise<GitHost> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), 'git-host-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const name = `gh${randomBytes(5).toString('hex')}`;
  await runProgram('ip', ['netns', 'add', name]);
  stack.defer(async () => void (await runProgram('ip', ['netns', 'delete', name])));
  const address = await connect(name);
  stack.defer(async () => void (await runProgram('ip', ['link', 'delete', name])));
  await issueCertificate(authority, { address, folder });
  await makeRepository(folder);
  const child = spawn('nsenter', [`--net=/run/netns/${name}`, process.execPath, program, folder, address], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  stack.defer(() => end(child));
  await Promise.race([once(child.stdout, 'data'), failOnExit(child)]);
  const resources = stack.move();
  return { address, url: `https://${address}`, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

/** Links the network to the host by two addresses that documentation may use and nobody routes; returns the far one. */
async function connect(name: string): Promise<string> {
  const routes = await runProgram('ip', ['-4', 'route', 'show', 'table', 'all']);
  const blocks = Array.from({ length: 63 }, (_, index) => 4 * index);
  const base = blocks.find((each) =>
    [0, 1, 2].every((more) => !routes.includes(`198.51.100.${each + more}`)),
  );
  if (base === undefined) throw new Error('all of 198.51.100.0/24 is routed on this host');
  const far = `198.51.100.${base + 2}`;
  await runProgram('ip', ['link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name]);
  await runProgram('ip', ['address', 'add', `198.51.100.${base + 1}/30`, 'dev', name]);
  await runProgram('ip', ['link', 'set', name, 'up']);
  await runProgram('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
  await runProgram('ip', ['-n', name, 'address', 'add', `${far}/30`, 'dev', 'eth0']);
  await runProgram('ip', ['-n', name, 'link', 'set', 'eth0', 'up']);
  return far;
}

async function makeRepository(folder: string): Promise<void> {
  const work = path.join(folder, 'work');
  const bare = path.join(folder, 'demo.git');
  await mkdir(work);
  await writeFile(path.join(work, 'README'), 'cloned\n');
  const identity = ['-c', 'user.name=Test', '-c', 'user.email=test@localhost'];
  await runProgram('git', ['init', '--quiet', '--initial-branch=main', work]);
  await runProgram('git', ['-C', work, 'add', 'README']);
  await runProgram('git', ['-C', work, ...identity, 'commit', '--quiet', '--message', 'begin']);
  await runProgram('git', ['clone', '--quiet', '--bare', work, bare]);
}

async function failOnExit(child: ChildProcess): Promise<never> {
  const [code] = await once(child, 'exit');
  throw new Error(`the git server ended with exit code ${code}`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
