import type { PortList } from '@sprites/contract/ports';
import { notFound, type Resource, upgradeRequired } from '../http/resource.ts';
import { WebSocket } from '../sockets/web-socket.ts';
import type { PortMonitor } from './port-monitor.ts';

/** Clients have nothing to say here. */
const largestTextBytes = 4096;

/** Ports that something listens on, `/v1/ports/watch`. Spec section 9.2. */
export function createPortsResource(monitor: PortMonitor): Resource {
  return {
    answer: ({ path }) => {
      throw isWatch(path) ? upgradeRequired('ports/watch') : notFound('ports', path);
    },
    upgrade: ({ socket, path, accept }) => {
      if (!isWatch(path)) throw notFound('ports', path);
      accept();
      const webSocket = new WebSocket(
        socket,
        { onBinary: () => {}, onText: () => {}, onSent: () => {}, onClosed: () => watch.stop() },
        largestTextBytes,
      );
      const watch = monitor.watch((event) => webSocket.sendJson(event));
      webSocket.sendJson({ type: 'port_list', ports: watch.open } satisfies PortList);
    },
  };
}

function isWatch(path: readonly string[]): boolean {
  return path.length === 1 && path[0] === 'watch';
}
