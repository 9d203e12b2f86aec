export * from './command.ts';
export * from './control.ts';
export * from './frames.ts';
export * from './kill.ts';
export * from './messages.ts';
export * from './sessions.ts';
export * from './signals.ts';
