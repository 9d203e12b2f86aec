export { lockDataDir } from './lock-data-dir.ts';
export { openReflinkDisks, type ReflinkDisksOptions } from './open-reflink-disks.ts';
export { releasePool } from './pool-paths.ts';
export { ReflinkDisks, type ReflinkKind } from './reflink-disks.ts';
