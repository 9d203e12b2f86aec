import { type BigIntStats, lchownSync } from 'node:fs';
import { libc, readErrno } from '../kernel/libc.ts';

const here = -100;
const noFollow = 0x100;
const mostAttributeBytes = 65_536;
const noData = 61;
const notSupported = 95;
const nsPerSecond = 1_000_000_000n;

/** Gives a file the owner, extended attributes and times of another. Links are not followed. The mode is the caller's affair. */
export function copyOwner(to: Buffer, { uid, gid }: BigIntStats): void {
  lchownSync(to, Number(uid), Number(gid));
}

/** Copies what the file system keeps with the file beside its content: user attributes, access lists, capabilities. */
export function copyExtended(from: Buffer, to: Buffer): void {
  const [source, target] = [terminated(from), terminated(to)];
  const names = read((buffer) => libc.llistxattr(source, buffer, BigInt(buffer.length)));
  for (const name of names.toString('latin1').split('\0').slice(0, -1)) {
    const key = terminated(Buffer.from(name, 'latin1'));
    const value = read((buffer) => libc.lgetxattr(source, key, buffer, BigInt(buffer.length)));
    const filled = value.length === 0 ? Buffer.alloc(1) : value;
    if (libc.lsetxattr(target, key, filled, BigInt(value.length), 0) !== 0) throw systemError('lsetxattr');
  }
}

/** Copies the times of reading and writing, to the nanosecond. */
export function copyTimes(to: Buffer, { atimeNs, mtimeNs }: BigIntStats): void {
  const times = Buffer.alloc(32);
  for (const [index, ns] of [atimeNs, mtimeNs].entries()) {
    const rest = ((ns % nsPerSecond) + nsPerSecond) % nsPerSecond;
    times.writeBigInt64LE((ns - rest) / nsPerSecond, index * 16);
    times.writeBigInt64LE(rest, index * 16 + 8);
  }
  if (libc.utimensat(here, terminated(to), times, noFollow) !== 0) throw systemError('utimensat');
}

/** Makes a pipe or socket, which are nothing but a name. */
export function makeNode(path: Buffer, mode: number): void {
  if (libc.mknod(terminated(path), mode, 0n) !== 0) throw systemError('mknod');
}

/** Lets two names change places, whatever they are. */
export function exchange(one: Buffer, other: Buffer): void {
  const exchangeNames = 2;
  if (libc.renameat2(here, terminated(one), here, terminated(other), exchangeNames) !== 0)
    throw systemError('renameat2');
}

/** What the last call failed with, as an error like those of Node. */
export function systemError(call: string): Error {
  const errno = readErrno();
  const code =
    { 1: 'EPERM', 2: 'ENOENT', 16: 'EBUSY', 28: 'ENOSPC', 122: 'EDQUOT' }[errno] ?? `errno ${errno}`;
  return Object.assign(new Error(`${call}: ${code}`), { code });
}

function read(call: (buffer: Buffer) => bigint): Buffer {
  const buffer = Buffer.alloc(mostAttributeBytes);
  const length = Number(call(buffer));
  if (length >= 0) return buffer.subarray(0, length);
  const errno = readErrno();
  if (errno === noData || errno === notSupported) return Buffer.alloc(0);
  throw systemError('xattr');
}

function terminated(path: Buffer): Buffer {
  return Buffer.concat([path, Buffer.of(0)]);
}
