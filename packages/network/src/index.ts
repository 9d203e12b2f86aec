export type { LinuxNetwork } from './linux-network.ts';
export type { Log } from './log.ts';
export { type NetworkOptions, openNetwork } from './open-network.ts';
