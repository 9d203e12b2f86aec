/** What needs sockets and streams of Node: this file is replaced by `transport-browser.ts` in browsers. */
export { ControlConnection } from './control/control-connection.ts';
export { ControlPool } from './control/control-pool.ts';
export { SpriteCommand, spawn } from './exec/command.ts';
