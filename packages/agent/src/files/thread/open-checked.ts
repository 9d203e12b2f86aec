import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readlinkSync,
  type Stats,
  statfsSync,
  statSync,
} from 'node:fs';
import { FileError } from '@sprites/contract/files';
import { attempt } from './attempt.ts';
import { type BytePath, toText } from './byte-path.ts';

const { O_NOCTTY, O_NONBLOCK } = constants;
const procMagic = 0x9fa0;

/** An open regular file; whoever gets it closes it. */
export type OpenFile = { readonly fd: number; readonly stats: Stats };

/**
 * Opens a regular file and nothing else: opening a device or a FIFO could hang or do something, so they are looked at
 * first, and again when open. `path` is what clients call it; `create` is the mode of a file that is to be made when it is missing.
 */
export function openRegularFile(
  kernelPath: Buffer,
  path: BytePath,
  flags: number,
  create?: number,
): OpenFile {
  return attempt(path, () => {
    const before = create === undefined ? statSync(kernelPath) : describeIfThere(kernelPath);
    if (before !== undefined) checkRegular(path, before);
    const making = create === undefined ? 0 : constants.O_CREAT;
    const fd = openSync(kernelPath, flags | making | O_NONBLOCK | O_NOCTTY, create);
    try {
      const stats = fstatSync(fd);
      checkRegular(path, stats);
      refuseOwnProcess(path, fd);
      return { fd, stats };
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  });
}

function describeIfThere(path: Buffer): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

/** Throws for what has no bytes to read and write. */
export function checkRegular(path: BytePath, stats: Stats): void {
  if (stats.isDirectory()) throw new FileError('EISDIR', toText(path), undefined, 'open');
  if (!stats.isFile()) throw new FileError('EINVAL', toText(path), 'not a regular file', 'open');
}

/** The kernel lets every thread of a process read and write the process's own memory, whatever its user. */
function refuseOwnProcess(path: BytePath, fd: number): void {
  const link = `/proc/self/fd/${fd}`;
  if (statfsSync(link).type !== procMagic) return;
  if (readlinkSync(link).split('/').includes(String(process.pid))) {
    throw new FileError('EACCES', toText(path), undefined, 'open');
  }
}
