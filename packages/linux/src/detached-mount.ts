import { close as closeFd } from 'node:fs';
import { promisify } from 'node:util';
import { defineCall } from './syscall.ts';

const fsopen = defineCall('syscall', 'long', ['long', 'str', 'uint'], 'fsopen');
const fsconfig = defineCall('syscall', 'long', ['long', 'int', 'uint', 'str', 'str', 'int'], 'fsconfig');
const fsmount = defineCall('syscall', 'long', ['long', 'int', 'uint', 'uint'], 'fsmount');
const close = promisify(closeFd);

// the same on every architecture
const nrFsopen = 430;
const nrFsconfig = 431;
const nrFsmount = 432;
const closeOnExec = 1;
const setFlag = 0;
const setString = 1;
const create = 6;
const attributeReadOnly = 0x1;
/** MOUNT_ATTR_NOSUID, _NODEV, _NOEXEC, _NOATIME and _NOSYMFOLLOW */
const powerless = 0x2 | 0x4 | 0x8 | 0x10 | 0x20_0000;

/** A mounted file system that no path leads to. */
export interface DetachedMount extends AsyncDisposable {
  /** path of its root for this process alone */
  readonly path: string;
  close(): Promise<void>;
}

export type DetachedMountOptions = {
  readonly type: string;
  /** device or file */
  readonly source: string;
  /** options of the file system; those that take no value are true */
  readonly options?: Readonly<Record<string, string | true>>;
  /** false mounts it for writing; true by default */
  readonly readOnly?: boolean;
};

/**
 * Mounts a file system, read-only unless told otherwise, with programs, devices and symbolic links on it made powerless, and nowhere in the tree:
 * only this process reaches it. It ends when it is closed or the process ends, however that happens.
 */
export async function mountDetached({
  type,
  source,
  options = {},
  readOnly = true,
}: DetachedMountOptions): Promise<DetachedMount> {
  const context = await fsopen(nrFsopen, type, closeOnExec);
  try {
    await fsconfig(nrFsconfig, context, setString, 'source', source, 0);
    for (const [name, value] of Object.entries({ ...(readOnly ? { ro: true as const } : {}), ...options })) {
      if (value === true) await fsconfig(nrFsconfig, context, setFlag, name, null, 0);
      else await fsconfig(nrFsconfig, context, setString, name, value, 0);
    }
    await fsconfig(nrFsconfig, context, create, null, null, 0);
    return new OpenMount(
      await fsmount(nrFsmount, context, closeOnExec, powerless | (readOnly ? attributeReadOnly : 0)),
    );
  } finally {
    await close(context);
  }
}

class OpenMount implements DetachedMount {
  readonly path: string;
  readonly #fd: number;
  #closed = false;

  constructor(fd: number) {
    this.#fd = fd;
    this.path = `/proc/self/fd/${fd}`;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await close(this.#fd);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
