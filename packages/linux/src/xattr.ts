import { defineCall, hasCode } from './syscall.ts';

const listCall = defineCall('llistxattr', 'long', ['void *', 'void *', 'size_t'], 'llistxattr');
const getCall = defineCall('lgetxattr', 'long', ['void *', 'str', 'void *', 'size_t'], 'lgetxattr');
const setCall = defineCall('lsetxattr', 'int', ['void *', 'str', 'void *', 'size_t', 'int'], 'lsetxattr');
const removeCall = defineCall('lremovexattr', 'int', ['void *', 'str'], 'lremovexattr');

/** The kernel's own limits: linux/limits.h. */
const mostListBytes = 65_536;
const mostValueBytes = 65_536;

/** An extended attribute. */
export type Xattr = { readonly name: string; readonly value: Buffer };

/** Reads the extended attributes of what is at `path`, a link itself, by name. */
export async function readXattrs(path: Buffer): Promise<readonly Xattr[]> {
  const names = await listXattrs(path);
  const found: Xattr[] = [];
  for (const name of [...names].sort()) {
    const value = Buffer.alloc(mostValueBytes);
    try {
      const size = await getCall(terminated(path), name, value, value.length);
      found.push({ name, value: Buffer.from(value.subarray(0, size)) });
    } catch (error) {
      // in the list for the sake of a handler that has nothing to say
      if (!hasCode(error, 'ENODATA')) throw error;
    }
  }
  return found;
}

export async function writeXattr(path: Buffer, { name, value }: Xattr): Promise<void> {
  await setCall(terminated(path), name, value, value.length, 0);
}

export async function removeXattr(path: Buffer, name: string): Promise<void> {
  await removeCall(terminated(path), name);
}

async function listXattrs(path: Buffer): Promise<readonly string[]> {
  const size = await listCall(terminated(path), null, 0);
  if (size === 0) return [];
  const list = Buffer.alloc(mostListBytes);
  const used = await listCall(terminated(path), list, list.length);
  // a name is bytes; latin1 keeps every one of them
  return list.toString('latin1', 0, used).split('\0').slice(0, -1);
}

/** A path as C has it; names in a sprite need not be UTF-8. */
export function terminated(path: Buffer): Buffer {
  if (path.includes(0)) throw new Error('a path cannot hold NUL');
  return Buffer.concat([path, Buffer.alloc(1)]);
}
