export * from './definition.ts';
export * from './entry.ts';
export * from './flags.ts';
export * from './order.ts';
export * from './requests.ts';
