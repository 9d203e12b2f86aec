export * from './agent-runtime.ts';
export * from './driver.ts';
export * from './host-check.ts';
export { LimitsView } from './limits-view.ts';
export { runDirOf } from './run-dir.ts';
export type { RuntimeName } from './runtime.ts';
