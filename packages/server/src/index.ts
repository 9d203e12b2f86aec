export { stopSignal } from './commands/start.ts';
export { type RunningServer, startServer } from './compose.ts';
export { type Config, readConfig } from './config/config.ts';
export { addSettings } from './config/options.ts';
export { systemClock } from './system-clock.ts';
