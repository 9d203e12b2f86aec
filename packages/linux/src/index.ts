export * from './freeze.ts';
export * from './idmap.ts';
export * from './lock.ts';
export * from './loop.ts';
export * from './mount.ts';
export * from './process.ts';
export * from './syscall.ts';
export * from './unix-socket.ts';
