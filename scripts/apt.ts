import { spawn } from 'node:child_process';
import { access } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { runScript } from './program.ts';
import { showProgress } from './progress.ts';

/** A program of the host that comes from a Debian package. */
export type HostPackage = {
  /** the Debian or Ubuntu package */
  readonly name: string;
  /** a command, or the absolute path of a file, whose presence means it is installed, from wherever it came */
  readonly proof: string;
  /** what it is needed for, in a few words */
  readonly purpose: string;
  /** true when everything but this purpose works without it */
  readonly optional?: true;
};

/** What the server needs on its host. */
export const serverPackages: readonly HostPackage[] = [
  { name: 'runc', proof: 'runc', purpose: 'starts the machines' },
  { name: 'nftables', proof: 'nft', purpose: 'firewall between machines and host' },
  { name: 'lxcfs', proof: 'lxcfs', purpose: 'shows sprites their own memory and load', optional: true },
  { name: 'iproute2', proof: 'ip', purpose: 'network interfaces of the machines' },
  { name: 'erofs-utils', proof: 'mkfs.erofs', purpose: 'packs base images' },
  { name: 'xfsprogs', proof: 'mkfs.xfs', purpose: 'file system that clones disks at once' },
  { name: 'e2fsprogs', proof: 'mkfs.ext4', purpose: 'formats the disks' },
  { name: 'mmdebstrap', proof: 'mmdebstrap', purpose: 'builds base images' },
  {
    name: 'debian-archive-keyring',
    proof: '/usr/share/keyrings/debian-archive-keyring.gpg',
    purpose: 'checks the packages of base images',
  },
  { name: 'zstd', proof: 'zstd', purpose: 'unpacks images to import' },
  { name: 'xz-utils', proof: 'xz', purpose: 'unpacks images to import' },
  { name: 'util-linux', proof: 'losetup', purpose: 'mounts and loop devices' },
  {
    name: 'ca-certificates',
    proof: '/etc/ssl/certs/ca-certificates.crt',
    purpose: 'trusted HTTPS certificates',
  },
];

/** What the tests need beside it. */
export const testPackages: readonly HostPackage[] = [
  ...serverPackages,
  { name: 'crun', proof: 'crun', purpose: 'the second container runtime under test' },
  { name: 'golang', proof: 'go', purpose: 'runs the official Go SDK' },
  {
    name: 'python3-venv',
    proof: '/var/lib/dpkg/info/python3-venv.list',
    purpose: 'runs the official Python SDK',
  },
  { name: 'zsh', proof: 'zsh', purpose: 'checks the completion script for it' },
  { name: 'fish', proof: 'fish', purpose: 'checks the completion script for it' },
  { name: 'curl', proof: 'curl', purpose: 'what sprite api calls' },
  { name: 'procps', proof: 'pgrep', purpose: 'finds what tests left running' },
  { name: 'tmux', proof: 'tmux', purpose: 'a terminal to drive the command line in' },
  { name: 'git', proof: '/usr/lib/git-core/git-http-backend', purpose: 'a server that sprites clone from' },
  { name: 'python3-pip', proof: 'pip3', purpose: 'tells where this host gets Python packages' },
  { name: 'openssh-client', proof: 'sftp', purpose: 'reaches an OpenSSH server in a sprite' },
  { name: 'openssl', proof: 'openssl', purpose: 'certificates that only the tests trust' },
];

const commandFolders = [
  ...(process.env.PATH ?? '').split(':'),
  '/usr/local/sbin',
  '/usr/sbin',
  '/sbin',
  '/usr/local/go/bin',
];

/** Those of `packages` that are not installed. Costs a few file look-ups. */
export async function missingPackages(packages: readonly HostPackage[]): Promise<readonly HostPackage[]> {
  const present = await Promise.all(packages.map((wanted) => isPresent(wanted.proof)));
  return packages.filter((_, index) => present[index] === false);
}

/**
 * Installs what is missing of `packages` by apt, saying what and why; does nothing when all are there.
 * Throws with the remedy when that is impossible here; goes on without what is optional.
 */
export async function ensurePackages(packages: readonly HostPackage[]): Promise<void> {
  await install(packages.filter((wanted) => wanted.optional !== true));
  for (const wanted of packages.filter((each) => each.optional === true)) {
    await install([wanted]).catch(() => console.log(`Going on without ${wanted.name}: ${wanted.purpose}.`));
  }
}

async function install(packages: readonly HostPackage[]): Promise<void> {
  const missing = await missingPackages(packages);
  if (missing.length === 0) return;
  const names = missing.map((wanted) => wanted.name);
  await refuseWithoutApt(names);
  console.log('Installing Debian packages this host lacks:');
  for (const { name, purpose } of missing) console.log(`  ${name.padEnd(24)}${purpose}`);
  await apt('reading the package lists', ['update']);
  await apt('installing', ['install', '--yes', '--no-install-recommends', ...names]);
  const still = await missingPackages(missing);
  if (still.length > 0) {
    throw new Error(`apt installed ${still[0]?.name}, but ${still[0]?.proof} is still not there`);
  }
}

async function isPresent(proof: string): Promise<boolean> {
  const places = proof.startsWith('/') ? [proof] : commandFolders.map((folder) => path.join(folder, proof));
  const found = await Promise.all(
    places.map((place) =>
      access(place).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.includes(true);
}

async function refuseWithoutApt(names: readonly string[]): Promise<void> {
  const command = `apt-get install ${names.join(' ')}`;
  if (!(await isPresent('apt-get'))) {
    throw new Error(
      `missing: ${names.join(', ')}; there is no apt-get on this host, so install them by its own means (Debian 12, 13 and Ubuntu are known to work)`,
    );
  }
  if (process.getuid?.() !== 0) {
    throw new Error(`missing: ${names.join(', ')}; only root can install them: run \`sudo ${command}\``);
  }
}

async function apt(title: string, args: readonly string[]): Promise<void> {
  const options = ['-o', 'APT::Status-Fd=3', '-o', 'DPkg::Lock::Timeout=300', '-o', 'Dpkg::Use-Pty=0'];
  const child = spawn('apt-get', [...options, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' },
  });
  const exit = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  using progress = showProgress(title);
  const said: string[] = [];
  for (const stream of child.stdio.slice(1, 3)) {
    if (!(stream instanceof Readable)) continue;
    createInterface({ input: stream }).on('line', (line) => {
      said.push(line);
      if (said.length > 30) said.shift();
    });
  }
  const status = child.stdio[3];
  if (status instanceof Readable) {
    createInterface({ input: status }).on('line', (line) => {
      const [, , percent, text] = line.split(':');
      progress.update(Number(percent) / 100, text ?? '');
    });
  }
  const code = await exit;
  if (code !== 0)
    throw new Error(`apt-get ${args.join(' ')} failed with exit code ${code}:\n${said.join('\n')}`);
}

if (import.meta.main) {
  await runScript(() => ensurePackages(process.argv.includes('--tests') ? testPackages : serverPackages));
}
