export * from './entries.ts';
export * from './manifest.ts';
export * from './members.ts';
export * from './tar.ts';
