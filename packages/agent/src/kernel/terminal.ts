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

/** Our side of a pseudo-terminal, and a socket that will stand for it; whoever opens them closes both. */
export type TerminalFds = { readonly terminal: number; readonly standIn: number };

/** A pseudo-terminal with the path of the program's side. */
export type Terminal = { readonly fds: TerminalFds; readonly path: string };

/** A terminal's size in characters, each from 1 to 65535. */
export type WindowSize = { readonly rows: number; readonly cols: number };

/** Opens a pseudo-terminal of the given size; the program's side is owned by the user this is called as. */
export function openTerminal(size: WindowSize): Terminal {
  const fd = openSync('/dev/ptmx', constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
  try {
    const number = Buffer.alloc(4);
    libc.ioctl(fd, lockTerminal, number);
    if (libc.ioctl(fd, getTerminalNumber, number) !== 0) throw new Error('the kernel gave no terminal');
    setUtf8(fd);
    resizeTerminal(fd, size);
    const [standIn, other] = openSocketPair();
    closeSync(other);
    return { fds: { terminal: fd, standIn }, path: `/dev/pts/${number.readInt32LE(0)}` };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Gives up a terminal that no program got. */
export function closeTerminal({ terminal, standIn }: TerminalFds): void {
  closeSync(terminal);
  closeSync(standIn);
}

/** Tells the terminal, and by SIGWINCH its programs, its new size. */
export function resizeTerminal(fd: number, size: WindowSize): void {
  const winsize = Buffer.alloc(8);
  winsize.writeUInt16LE(size.rows, 0);
  winsize.writeUInt16LE(size.cols, 2);
  libc.ioctl(fd, setWindowSize, winsize);
}

/**
 * Wraps our side of a terminal as a socket, which owns both descriptors from then on. Node would write to a
 * terminal in blocking mode, and a program that does not read would hang the whole agent; so Node gets to see
 * the socket, behind which the terminal is then put.
 */
export function openTerminalSocket(
  { terminal, standIn }: TerminalFds,
  options: SocketConstructorOpts,
): Socket {
  const socket = new Socket({ ...options, fd: standIn, readable: true, writable: true });
  replaceFd(standIn, terminal);
  closeSync(terminal);
  return socket;
}

/** Lets the line editor of the kernel erase whole characters of UTF-8. */
function setUtf8(fd: number): void {
  const termios = Buffer.alloc(64);
  if (libc.ioctl(fd, getAttributes, termios) !== 0) return;
  termios.writeUInt32LE(termios.readUInt32LE(0) | inputIsUtf8, 0);
  libc.ioctl(fd, setAttributes, termios);
}
