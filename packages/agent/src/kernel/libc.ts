import { dlopen, getInt32 } from 'node:ffi';

/**
 * The functions of the C library that Node does not offer. Called by Node's own foreign function interface:
 * an addon would cost each sprite two megabytes, and child_process is seven times slower than posix_spawn.
 */
export const libc = dlopen(null, {
  pipe2: { arguments: ['buffer', 'i32'], return: 'i32' },
  socketpair: { arguments: ['i32', 'i32', 'i32', 'buffer'], return: 'i32' },
  dup3: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
  malloc_trim: { arguments: ['u64'], return: 'i32' },
  ioctl: { arguments: ['i32', 'u64', 'buffer'], return: 'i32' },
  lseek: { arguments: ['i32', 'i64', 'i32'], return: 'i64' },
  llistxattr: { arguments: ['buffer', 'buffer', 'u64'], return: 'i64' },
  lgetxattr: { arguments: ['buffer', 'buffer', 'buffer', 'u64'], return: 'i64' },
  lsetxattr: { arguments: ['buffer', 'buffer', 'buffer', 'u64', 'i32'], return: 'i32' },
  utimensat: { arguments: ['i32', 'buffer', 'buffer', 'i32'], return: 'i32' },
  mknod: { arguments: ['buffer', 'u32', 'u64'], return: 'i32' },
  renameat2: { arguments: ['i32', 'buffer', 'i32', 'buffer', 'u32'], return: 'i32' },
  linkat: { arguments: ['i32', 'buffer', 'i32', 'buffer', 'i32'], return: 'i32' },
  __errno_location: { arguments: [], return: 'pointer' },
  prctl: { arguments: ['i32', 'u64', 'u64', 'u64', 'u64'], return: 'i32' },
  socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
  send: { arguments: ['i32', 'buffer', 'u64', 'i32'], return: 'i64' },
  recv: { arguments: ['i32', 'buffer', 'u64', 'i32'], return: 'i64' },
  inotify_init1: { arguments: ['i32'], return: 'i32' },
  inotify_add_watch: { arguments: ['i32', 'buffer', 'u32'], return: 'i32' },
  inotify_rm_watch: { arguments: ['i32', 'i32'], return: 'i32' },
  umount2: { arguments: ['buffer', 'i32'], return: 'i32' },
  waitpid: { arguments: ['i32', 'buffer', 'i32'], return: 'i32' },
  syscall: { arguments: ['i64', 'i64', 'i64', 'i64'], return: 'i64' },
  posix_spawn: { arguments: ['buffer', 'buffer', 'buffer', 'buffer', 'buffer', 'buffer'], return: 'i32' },
  posix_spawn_file_actions_init: { arguments: ['buffer'], return: 'i32' },
  posix_spawn_file_actions_destroy: { arguments: ['buffer'], return: 'i32' },
  posix_spawn_file_actions_addchdir_np: { arguments: ['buffer', 'buffer'], return: 'i32' },
  posix_spawn_file_actions_addopen: {
    arguments: ['buffer', 'i32', 'buffer', 'i32', 'u32'],
    return: 'i32',
  },
  posix_spawn_file_actions_adddup2: { arguments: ['buffer', 'i32', 'i32'], return: 'i32' },
  posix_spawn_file_actions_addclosefrom_np: { arguments: ['buffer', 'i32'], return: 'i32' },
  posix_spawnattr_init: { arguments: ['buffer'], return: 'i32' },
  posix_spawnattr_setflags: { arguments: ['buffer', 'i16'], return: 'i32' },
  posix_spawnattr_setsigdefault: { arguments: ['buffer', 'buffer'], return: 'i32' },
  posix_spawnattr_setsigmask: { arguments: ['buffer', 'buffer'], return: 'i32' },
  sigfillset: { arguments: ['buffer'], return: 'i32' },
} as const).functions;

/** Makes the NUL-terminated text the C library reads. The text itself must hold no NUL. */
export function toCString(text: string): Buffer {
  return Buffer.from(`${text}\0`);
}

/** Why the call right before this one failed, as a number. Nothing may come between the two. */
export function readErrno(): number {
  return getInt32(libc.__errno_location(), 0);
}
