import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, open, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Clock, MachineSpec } from '@sprites/core';
import { Cgroup, findCgroups } from '@sprites/linux';
import { type AgentRuntime, createAgentRuntime } from './agent-runtime.ts';
import { type OciDriver, openOciDriver } from './driver.ts';
import type { OciDriverOptions } from './driver-options.ts';
import { RunDir } from './run-dir.ts';
import type { RuntimeName } from './runtime.ts';
import { SharedMounts } from './shared-mounts.ts';

const run = promisify(execFile);
const resolveModule = createRequire(import.meta.url).resolve;

/** What all machines of a test file can share: an image of a few host programs and an agent that runs what it is sent. */
export type OciWorld = AsyncDisposable & {
  readonly dir: string;
  readonly agent: AgentRuntime;
  readonly imageFile: string;
  readonly imageDigest: string;
};

/** A driver with a run directory of its own and new disks. */
export type OciFixture = AsyncDisposable & {
  readonly runDir: string;
  readonly options: Omit<OciDriverOptions, 'clock'>;
  readonly driver: OciDriver;
  /** A second driver over the same machines, as a restarted server has it. */
  reopen(runtime?: RuntimeName): Promise<OciDriver>;
  /** A spec for sprite number `n` with a new disk, made on first use. */
  spec(n: number): Promise<MachineSpec>;
  /** Runs the body of an async function as root inside the machine; `sh(command)`, `koffi()` and `require` are in scope. */
  evaluate(spriteId: string, body: string): Promise<unknown>;
};

const programs = [
  'bash cat chmod chown dd dmesg id ln ls mkdir mknod mount mv nsenter rm setpriv sh sleep stat sync umount unshare',
].flatMap((line) => line.split(' '));

const agentSource = `
const http = require('node:http');
const { spawnSync } = require('node:child_process');
const AsyncFunction = (async () => {}).constructor;
const sh = (command) => {
  const { status, signal, stdout, stderr } = spawnSync('sh', ['-c', command], { encoding: 'utf8' });
  return { status, signal, output: stdout + stderr };
};
const koffi = () => require('/opt/node_modules/koffi/index.cjs');
http.createServer((req, res) => {
  let body = '';
  req.on('data', (chunk) => { body += chunk; }).on('end', async () => {
    const answer = await new AsyncFunction('sh', 'koffi', 'require', body)(sh, koffi, require)
      .then((value) => ({ value }), (error) => ({ error: String(error?.stack ?? error) }));
    res.end(JSON.stringify(answer));
  });
}).listen(process.argv[2] === '--listen' ? process.argv[3] : { fd: 3 });
`;

const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) => sleep(ms, undefined, signal === undefined ? {} : { signal }),
};

/** Builds image and agent runtime in a temporary directory. */
export async function createOciWorld(): Promise<OciWorld> {
  const dir = await mkdtemp(join(tmpdir(), 'sprites-oci-'));
  const agentBundle = join(dir, 'agent.js');
  await writeFile(agentBundle, agentSource);
  const [agent, imageFile] = await Promise.all([
    createAgentRuntime({
      dataDir: dir,
      nodeBinary: process.execPath,
      agentBundle,
    }),
    buildImage(dir),
  ]);
  const imageDigest = `sha256:${createHash('sha256')
    .update(await readFile(imageFile))
    .digest('hex')}`;
  const remove = (): Promise<void> => rm(dir, { recursive: true, force: true });
  return { dir, agent, imageFile, imageDigest, [Symbol.asyncDispose]: remove };
}

/** Opens a driver; disposing of the fixture stops its machines and removes their disks. */
export async function createOciFixture(world: OciWorld, runtime: RuntimeName = 'runc'): Promise<OciFixture> {
  const runDir = await mkdtemp('/run/sprites-test-');
  const disks = await mkdtemp(join(world.dir, 'disks-'));
  const options = { runDir, agent: world.agent, runtime, version: '0.0.0', uidBase: 0x7f00_0000 };
  const reopen = (name = runtime): Promise<OciDriver> =>
    openOciDriver({ ...options, runtime: name, clock: systemClock });
  const driver = await reopen().catch(async (error: unknown) => {
    await removeRunDir(new RunDir(runDir));
    throw error;
  });
  return {
    runDir,
    options,
    driver,
    reopen,
    spec: async (n) => ({
      spriteId: `sprite_${n}`,
      incarnation: 1,
      hostname: `box-${n}`,
      slot: n,
      diskFile: await ensureDisk(join(disks, `disk${n}.ext4`)),
      imageFile: world.imageFile,
      imageDigest: world.imageDigest,
      limits: { cpus: 1, memoryBytes: 512 * 1024 * 1024, maxProcesses: 200 },
      environment: { GREETING: 'hello' },
      resolvConf: 'nameserver 192.0.2.1\n',
    }),
    evaluate: async (spriteId, body) => post(await driver.dial(spriteId, AbortSignal.timeout(5000)), body),
    [Symbol.asyncDispose]: async () => {
      await driver.release();
      await rm(disks, { recursive: true, force: true });
    },
  };
}

/** Removes what a driver that did not open has left; a server would use it at its next start. */
async function removeRunDir(runDir: RunDir): Promise<void> {
  // a runtime that is not installed is refused before its directories are made
  await runDir.prepare();
  await new SharedMounts(runDir).releaseAll();
  const cgroups = await findCgroups();
  if (cgroups !== undefined) await new Cgroup(cgroups, runDir.cgroup).remove();
  await runDir.remove();
}

async function ensureDisk(path: string): Promise<string> {
  try {
    await using file = await open(path, 'wx');
    await file.truncate(1024 * 1024 * 1024);
  } catch {
    // made by an earlier call
    return path;
  }
  await run('mkfs.ext4', ['-q', '-m', '0', path]);
  return path;
}

async function buildImage(dir: string): Promise<string> {
  const tree = join(dir, 'tree');
  for (const name of ['usr/bin', 'usr/lib64', 'opt', 'etc', 'tmp', 'root', 'home/sprite', 'var', 'run']) {
    await mkdir(join(tree, name), { recursive: true });
  }
  for (const name of ['bin', 'lib', 'lib64']) await symlink(`usr/${name}`, join(tree, name));
  await symlink('bin', join(tree, 'usr/sbin'));
  await writeFile(
    join(tree, 'etc/passwd'),
    'root:x:0:0::/root:/bin/sh\nsprite:x:1000:1000::/home/sprite:/bin/sh\n',
  );
  for (const name of programs) await copyProgram(tree, name);
  const modules = join(dirname(createRequire(resolveModule('@sprites/linux')).resolve('koffi')), '..');
  for (const name of ['koffi', '@koromix']) {
    await cp(join(modules, name), join(tree, 'opt/node_modules', name), { recursive: true });
  }
  const image = join(dir, 'image.erofs');
  await run('mkfs.erofs', ['-T0', image, tree]);
  return image;
}

async function copyProgram(tree: string, name: string): Promise<void> {
  const found = (await run('sh', ['-c', 'command -v "$0"', name])).stdout.trim();
  const program = await realpath(found);
  await cp(program, join(tree, 'usr/bin', name));
  const { stdout } = await run('ldd', [program]);
  const libraries = [...stdout.matchAll(/(\/\S+) \(0x/g)].flatMap((match) => match[1] ?? []);
  for (const library of libraries) {
    const target = join(tree, library.startsWith('/usr') ? library : `/usr${library}`);
    await mkdir(dirname(target), { recursive: true });
    await cp(await realpath(library), target);
  }
}

function post(socket: Socket, body: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const call = request({
      method: 'POST',
      createConnection: () => socket,
      headers: { connection: 'close' },
    });
    call.on('error', reject);
    call.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => {
        const answer: unknown = JSON.parse(text);
        if (typeof answer === 'object' && answer !== null && 'error' in answer)
          reject(new Error(String(answer.error)));
        else
          resolve(
            typeof answer === 'object' && answer !== null && 'value' in answer ? answer.value : undefined,
          );
      });
    });
    call.end(body);
  });
}
