import { closeSync, fchmodSync, fstatSync, ftruncateSync, futimesSync, renameSync } from 'node:fs';
import { constants } from 'node:os';
import { FileError, formatMode } from '@sprites/contract/files';
import { libc, readErrno, toCString } from '../../kernel/libc.ts';
import { attempt, toFileError } from './attempt.ts';
import { toBytes, toKernel } from './byte-path.ts';
import { type OperationContext, Pace } from './context.ts';
import { copyBytes } from './copy-bytes.ts';
import type { WriteTicket } from './open-write.ts';
import { pickTemporaryName, removeName } from './temporary-name.ts';

const currentDirectory = -100;
const followSymlinks = 0x400;

/** What became of a write. */
export type Written = { readonly path: string; readonly size: number; readonly mode: string };

/** Puts the bytes of a write under their name, all of them at once, and closes what the ticket has open. */
export async function commitWrite(ticket: WriteTicket, context: OperationContext): Promise<Written> {
  const { fd, asRoot, mode, modTime, way } = ticket;
  try {
    const target = way.type === 'refill' ? way.targetFd : fd;
    if (way.type === 'refill') await refill(target, ticket, context);
    return context.act(asRoot, () =>
      attempt(toBytes(ticket.path), () => {
        if (mode !== undefined) fchmodSync(target, mode);
        if (modTime !== undefined) futimesSync(target, modTime, modTime);
        if (way.type === 'replace') putInPlace(ticket, way.temporary);
        const stats = fstatSync(target);
        return { path: ticket.path, size: stats.size, mode: formatMode(stats.mode) };
      }),
    );
  } catch (error) {
    context.act(asRoot, () => removeTemporary(ticket));
    throw error;
  } finally {
    closeAll(ticket);
  }
}

/** Gives up a write. What was there before is untouched, but for a write at an offset. */
export async function discardWrite(ticket: WriteTicket, { act }: OperationContext): Promise<void> {
  act(ticket.asRoot, () => removeTemporary(ticket));
  closeAll(ticket);
}

/** Copies the bytes into the old file. */
async function refill(target: number, ticket: WriteTicket, context: OperationContext): Promise<void> {
  try {
    ftruncateSync(target, 0);
    await copyBytes(ticket.fd, target, new Pace(context));
  } catch (error) {
    throw toFileError(error, toBytes(ticket.path));
  }
}

function putInPlace(ticket: WriteTicket, temporary: string | undefined): void {
  const target = pathOf(ticket, ticket.name);
  if (temporary !== undefined) {
    renameSync(pathOf(ticket, temporary), target);
    return;
  }
  if (link(ticket.fd, target, ticket.path)) return;
  // Only a rename takes the place of another file, and only what has a name can be renamed.
  const name = pathOf(ticket, pickTemporaryName(ticket.name));
  if (!link(ticket.fd, name, ticket.path)) throw new FileError('EEXIST', ticket.path);
  try {
    renameSync(name, target);
  } catch (error) {
    removeName(name);
    throw error;
  }
}

/** Gives an unnamed file its name; false when something has the name already. */
function link(fd: number, target: Buffer, path: string): boolean {
  const source = toCString(`/proc/self/fd/${fd}`);
  const name = Buffer.concat([target, Buffer.of(0)]);
  if (libc.linkat(currentDirectory, source, currentDirectory, name, followSymlinks) === 0) return true;
  const errno = readErrno();
  if (errno === constants.errno.EEXIST) return false;
  const code = Object.entries(constants.errno).find(([, number]) => number === errno)?.[0];
  throw Object.assign(new Error(`link ${path}: ${code}`), { code, syscall: 'link' });
}

function pathOf({ directoryFd }: WriteTicket, name: string): Buffer {
  return toKernel(`/proc/self/fd/${directoryFd}/${name}`);
}

function removeTemporary(ticket: WriteTicket): void {
  const { way } = ticket;
  if (way.type === 'replace' && way.temporary !== undefined) removeName(pathOf(ticket, way.temporary));
}

function closeAll({ fd, directoryFd, way }: WriteTicket): void {
  for (const one of [fd, directoryFd, ...(way.type === 'refill' ? [way.targetFd] : [])]) closeSync(one);
}
