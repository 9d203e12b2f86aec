export { defaultReserveBytes } from './levels.ts';
export { type GuardedSpace, PoolGuard, type PoolGuardOptions } from './pool-guard.ts';
