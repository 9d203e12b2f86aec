import { closeSync, constants, openSync } from 'node:fs';
import { Socket, type SocketConstructorOpts } from 'node:net';
import { libc } from './libc.ts';
import { openSocketPair, replaceFd } from './pipe.ts';

const lockTerminal = 0x40045431n;
const getTerminalNumber = 0x80045430n;
const setWindowSize = 0x5414n;
const getAttributes = 0x5401n;
const setAttributes = 0x5402n;
const inputIsUtf8 = 0x4000;

/** A pseudo-terminal: our side of it, which whoever opens it closes, and the path of the program's side. */
export type Terminal = { readonly fd: number; readonly path: string };

/** A terminal's size in characters, each from 1 to 65535. */
export type WindowSize = { readonly rows: number; readonly cols: number };

/** Opens a pseudo-terminal of the given size; the program's side is owned by the user this is called as. */
export function openTerminal(size: WindowSize): Terminal {
  const fd = openSync('/dev/ptmx', constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
  const number = Buffer.alloc(4);
  libc.ioctl(fd, lockTerminal, number);
  if (libc.ioctl(fd, getTerminalNumber, number) !== 0) {
    closeSync(fd);
    throw new Error('the kernel gave a terminal without a number');
  }
  setUtf8(fd);
  resizeTerminal(fd, size);
  return { fd, path: `/dev/pts/${number.readInt32LE(0)}` };
}

/** Tells the terminal, and by SIGWINCH its programs, its new size. */
export function resizeTerminal(fd: number, size: WindowSize): void {
  const winsize = Buffer.alloc(8);
  winsize.writeUInt16LE(size.rows, 0);
  winsize.writeUInt16LE(size.cols, 2);
  libc.ioctl(fd, setWindowSize, winsize);
}

/**
 * Wraps our side of a terminal as a socket and takes the descriptor over. Node would write to a terminal in
 * blocking mode, and a program that does not read would hang the whole agent; so Node gets to see a socket,
 * behind which the terminal is then put.
 */
export function openTerminalSocket(
  fd: number,
  options: SocketConstructorOpts,
): { readonly socket: Socket; readonly fd: number } {
  const [shown, other] = openSocketPair();
  closeSync(other);
  const socket = new Socket({ ...options, fd: shown, readable: true, writable: true });
  replaceFd(shown, fd);
  closeSync(fd);
  return { socket, fd: shown };
}

/** Lets the line editor of the kernel erase whole characters of UTF-8. */
function setUtf8(fd: number): void {
  const termios = Buffer.alloc(64);
  if (libc.ioctl(fd, getAttributes, termios) !== 0) return;
  termios.writeUInt32LE(termios.readUInt32LE(0) | inputIsUtf8, 0);
  libc.ioctl(fd, setAttributes, termios);
}
