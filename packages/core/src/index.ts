export type * from './ports/clock.ts';
export type * from './ports/disks.ts';
export type * from './ports/driver.ts';
export type * from './ports/images.ts';
export type * from './ports/network.ts';
export type * from './ports/store.ts';
