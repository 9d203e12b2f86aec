import koffi from 'koffi';

const fadvise = koffi.load('libc.so.6').func('posix_fadvise', 'int', ['int', 'long', 'long', 'int']);
const dontNeed = 4;

/** Lets the kernel forget what it keeps of a part of an open file in memory, so that the next read asks the disk. */
export function dropCached(fd: number, offset: number, length: number): void {
  // advice only: one that is not taken changes nothing but the speed
  fadvise(fd, offset, length, dontNeed);
}
