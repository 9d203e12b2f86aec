import koffi from 'koffi';
import { runTool } from './tool.ts';

export type NetnsSetup = {
  /** values below /proc/sys/net by path, e.g. `ipv4/ip_unprivileged_port_start`; missing or read-only ones are skipped */
  readonly sysctls: Readonly<Record<string, string>>;
  /** lines for `ip -batch`, executed after the values are set */
  readonly batch: readonly string[];
};

// The shell stays in the host's file system: only the network namespace is the target's, so nothing in the
// target can stand in for a program or a file used here.
const script = [
  'for setting do',
  '  file=/proc/sys/net/$' + '{setting%%=*}',
  '  [ ! -w "$file" ] || echo "$' + '{setting#*=}" > "$file" || :',
  'done',
  'exec ip -b -',
].join('\n');

/** Path by which tools such as `ip` name the network namespace of a process. */
export function netnsPath(pid: number): string {
  return `/proc/${pid}/ns/net`;
}

/** Sets kernel values and interfaces in the network namespace of a process, in one go. */
export async function setUpNetns(pid: number, setup: NetnsSetup, signal?: AbortSignal): Promise<void> {
  const settings = Object.entries(setup.sysctls).map(([path, value]) => `${path}=${value}`);
  const argv = ['nsenter', `--net=${netnsPath(pid)}`, 'sh', '-c', script, 'sh', ...settings] as const;
  await runTool([...argv], { input: `${setup.batch.join('\n')}\n`, signal });
}

/**
 * Moves the calling thread into a new, empty network namespace for good; processes it starts begin there. Threads that
 * exist already stay, those of Node's pool included. For tests that must not touch the host's network.
 */
export function moveToNewNetns(): void {
  const cloneNewnet = 0x4000_0000;
  const unshare: unknown = koffi.load('libc.so.6').func('unshare', 'int', ['int']);
  if (typeof unshare !== 'function' || unshare(cloneNewnet) !== 0) {
    throw new Error('unshare of the network namespace failed; root is needed');
  }
}
