export * from './images.ts';
export * from './internet.ts';
export * from './leaks.ts';
export * from './manual-clock.ts';
export * from './place.ts';
export * from './server-process.ts';
export * from './sweep.ts';
export * from './test-server.ts';
