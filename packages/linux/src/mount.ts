import { readFile } from 'node:fs/promises';
import { defineCall, hasCode } from './syscall.ts';

const mountCall = defineCall('mount', 'int', ['str', 'str', 'str', 'ulong', 'str']);
const umountCall = defineCall('umount2', 'int', ['str', 'int']);

const flagBits = {
  'read-only': 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  remount: 32,
  noatime: 1024,
  bind: 4096,
  private: 1 << 18,
  shared: 1 << 20,
} as const;

export type MountFlag = keyof typeof flagBits;

export type MountOptions = {
  readonly source: string;
  readonly target: string;
  /** file system type; left out for a bind, a remount or a change of propagation */
  readonly type?: string;
  readonly flags?: readonly MountFlag[];
  /** options of the file system, comma separated */
  readonly data?: string;
};

/** One line of `/proc/self/mountinfo`. */
export type Mount = {
  readonly id: number;
  readonly target: string;
  readonly type: string;
  readonly source: string;
  /** `major:minor` of the file system */
  readonly device: string;
};

/** mount(2), without a fork. */
export async function mount({ source, target, type, flags = [], data }: MountOptions): Promise<void> {
  const bits = flags.reduce((sum, flag) => sum | flagBits[flag], 0);
  await mountCall(source, target, type ?? null, bits, data ?? null);
}

/** Unmounts the topmost mount at `target`; false when nothing is mounted there. */
export async function unmount(target: string): Promise<boolean> {
  return unmountWith(target, umountNoFollow);
}

/** Takes the mount out of the tree at once; the file system ends when its last user does. */
export async function unmountLazily(target: string): Promise<boolean> {
  return unmountWith(target, umountNoFollow | mntDetach);
}

/** All mounts of this process's mount namespace, oldest first. */
export async function listMounts(): Promise<readonly Mount[]> {
  return parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'));
}

/** Reads the text of a mountinfo file; lines it does not understand are left out. */
export function parseMountInfo(text: string): readonly Mount[] {
  return text.split('\n').flatMap((line) => {
    const [left, right] = line.split(' - ');
    const [id, , device, , target] = left?.split(' ') ?? [];
    const [type, source] = right?.split(' ') ?? [];
    if (id === undefined || device === undefined || target === undefined || type === undefined) return [];
    return [
      { id: Number(id), device, target: unescapeOctal(target), type, source: unescapeOctal(source ?? '') },
    ];
  });
}

const mntDetach = 2;
const umountNoFollow = 8;

async function unmountWith(target: string, flags: number): Promise<boolean> {
  try {
    await umountCall(target, flags);
    return true;
  } catch (error) {
    if (hasCode(error, 'EINVAL', 'ENOENT')) return false;
    throw error;
  }
}

/** The kernel writes space, tab, newline and backslash as three octal digits. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
