export type { DiskFiles } from './open-disk.ts';
export { ReflinkDiskViews } from './reflink-disk-views.ts';
