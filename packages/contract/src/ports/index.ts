export * from './events.ts';
export * from './proxy.ts';
