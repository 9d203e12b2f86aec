/** What needs sockets and streams of Node: this file is replaced by `transport-browser.ts` in browsers. */
export { ControlConnection } from './control/control-connection.ts';
export { ControlPool } from './control/control-pool.ts';
export { SpriteCommand, spawn } from './exec/command.ts';
export { ProxySession } from './ports/proxy-session.ts';
export { connectPort } from './ports/tunnel.ts';
export { SocketStream } from './socket/socket-stream.ts';
