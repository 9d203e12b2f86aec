import { execFile } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

/** Marks by which something in the kernel is known to belong to a server or a test run. */
export type Owner = {
  /** directories of the server: data and run directory */
  readonly folders: readonly string[];
  /** eight hex digits that stand in the names of interfaces and tables */
  readonly instance?: string;
};

/** Everything of a host that a server can leave behind, one line each. */
export type HostSnapshot = ReadonlySet<string>;

/** Lists mounts, loop devices, cgroups, network namespaces, interfaces, gateway addresses, nft tables and processes of this host. */
export async function snapshotHost(): Promise<HostSnapshot> {
  const parts = await Promise.all([
    mounts(),
    loops(),
    cgroups(),
    namedNetworks(),
    interfaces(),
    gateways(),
    nftTables(),
    processes(),
  ]);
  return new Set(parts.flat());
}

/** What is in `after` and not in `before`. */
export function diffHost(before: HostSnapshot, after: HostSnapshot): readonly string[] {
  return [...after].filter((line) => !before.has(line));
}

/** What on this host belongs to `owner`. */
export async function findLeaks(owner: Owner): Promise<readonly string[]> {
  const marks = [
    ...owner.folders.flatMap((folder) => [`${folder}/`, `${folder} `]),
    ...(owner.instance === undefined ? [] : [owner.instance, `spv${owner.instance.slice(0, 4)}`]),
  ];
  return [...(await snapshotHost())].filter((line) => marks.some((mark) => `${line} `.includes(mark)));
}

async function mounts(): Promise<readonly string[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => `mount ${line.split(' ')[4] ?? ''}`);
}

async function loops(): Promise<readonly string[]> {
  const names = (await entries('/sys/block')).filter((name) => name.startsWith('loop'));
  const files = await Promise.all(names.map((name) => text(`/sys/block/${name}/loop/backing_file`)));
  return names.flatMap((name, index) => {
    const file = files[index]?.trim() ?? '';
    return file === '' ? [] : [`loop ${name} ${file}`];
  });
}

async function cgroups(): Promise<readonly string[]> {
  // Groups of others come and go meanwhile.
  const command = 'find /sys/fs/cgroup -ignore_readdir_race -type d 2>/dev/null || true';
  const { stdout } = await promisify(execFile)('sh', ['-c', command], { maxBuffer: 64 * 1024 * 1024 });
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => `cgroup ${line}`);
}

async function namedNetworks(): Promise<readonly string[]> {
  return (await entries('/run/netns')).map((name) => `netns ${name}`);
}

async function interfaces(): Promise<readonly string[]> {
  return (await entries('/sys/class/net')).map((name) => `interface ${name}`);
}

/** The address a server has towards its sprites; its label tells whose it is, and it stands for the route of the range. */
async function gateways(): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)('ip', ['-oneline', '-4', 'address', 'show', 'dev', 'lo']);
  return [...stdout.matchAll(/ inet (\S+) .* (lo:s[0-9a-f]{8})\\/g)].map(
    ([, address = '', label = '']) => `gateway ${address} ${label}`,
  );
}

async function nftTables(): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)('nft', ['list', 'tables']).catch(() => ({ stdout: '' }));
  return stdout.split('\n').filter((line) => line !== '');
}

async function processes(): Promise<readonly string[]> {
  const pids = (await entries('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const lines = await Promise.all(
    pids.map(async (pid) => {
      const command = (await text(`/proc/${pid}/cmdline`)).replaceAll('\0', ' ').trim();
      if (command === '') return [];
      const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '');
      // What runs in a sprite has neither words nor folders of its server, but stands in its control group.
      const cgroups = await text(`/proc/${pid}/cgroup`);
      const cgroup = /^\d+:[^:]*:(\/\S+)/m.exec(cgroups)?.[1] ?? '/';
      return [`process ${pid} ${command} (in ${path.normalize(cwd)} , cgroup ${cgroup} )`];
    }),
  );
  return lines.flat();
}

async function entries(folder: string): Promise<readonly string[]> {
  return await readdir(folder).catch(() => []);
}

async function text(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch(() => '');
}
