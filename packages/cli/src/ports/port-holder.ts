import { execFile } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { promisify } from 'node:util';

/** Who listens on a TCP port of this machine, such as `node (pid 4711)`; undefined when that cannot be told. */
export async function findPortHolder(port: number): Promise<string | undefined> {
  try {
    return process.platform === 'linux' ? await findOnLinux(port) : await findByLsof(port);
  } catch {
    // It is a hint only; other users' processes may not be looked into.
    return undefined;
  }
}

async function findOnLinux(port: number): Promise<string | undefined> {
  const inodes = new Set((await Promise.all(['tcp', 'tcp6'].map((table) => listInodes(table, port)))).flat());
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    if (!(await hasSocket(pid, inodes))) continue;
    return `${(await readFile(`/proc/${pid}/comm`, 'utf8')).trim()} (pid ${pid})`;
  }
  return undefined;
}

/** Sockets that listen on the port, from lines such as `0: 0100007F:1F90 00000000:0000 0A … inode`. */
async function listInodes(table: string, port: number): Promise<readonly string[]> {
  const text = await readFile(`/proc/net/${table}`, 'utf8').catch(() => '');
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return text.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    return fields[1]?.endsWith(`:${hex}`) === true && fields[3] === '0A' ? [`socket:[${fields[9]}]`] : [];
  });
}

async function hasSocket(pid: string, sockets: ReadonlySet<string>): Promise<boolean> {
  const fds = await readdir(`/proc/${pid}/fd`).catch(() => []);
  for (const fd of fds) {
    const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '');
    if (sockets.has(target)) return true;
  }
  return false;
}

async function findByLsof(port: number): Promise<string | undefined> {
  const { stdout } = await promisify(execFile)('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc']);
  const pid = /^p(\d+)$/m.exec(stdout)?.[1];
  const name = /^c(.+)$/m.exec(stdout)?.[1];
  return pid === undefined || name === undefined ? undefined : `${name} (pid ${pid})`;
}
