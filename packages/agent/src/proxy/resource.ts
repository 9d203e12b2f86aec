import { SpriteError } from '@sprites/contract/errors';
import { parseProxyRequest } from '@sprites/contract/ports';
import { notFound, type Resource, upgradeRequired } from '../http/resource.ts';
import { WebSocket } from '../sockets/web-socket.ts';
import { Tunnel, type TunnelEnd } from './tunnel.ts';

const largestTextBytes = 4096;
const firstMessageTimeoutMs = 30_000;
const closeCodes = { normal: 1000, protocol: 1002, failed: 1011 } as const;

/** TCP connections from inside, `/v1/proxy`. Spec section 9.1. */
export function createProxyResource(): Resource {
  return {
    answer: ({ path }) => {
      throw path.length === 0 ? upgradeRequired('proxy') : notFound('proxy', path);
    },
    upgrade: ({ socket, path, accept }) => {
      if (path.length > 0) throw notFound('proxy', path);
      accept();
      let tunnel: Tunnel | undefined;
      const webSocket = new WebSocket(
        socket,
        {
          onBinary: (piece) => tunnel?.takeBinary(piece),
          onText: (text) => {
            if (tunnel === undefined) tunnel = openTunnel(webSocket, text);
            else tunnel.takeText(text);
          },
          onSent: () => tunnel?.sent(),
          onClosed: () => {
            clearTimeout(timer);
            tunnel?.leave();
          },
        },
        largestTextBytes,
      );
      const timer = setTimeout(() => {
        if (tunnel === undefined) webSocket.close(closeCodes.protocol, 'no target named');
      }, firstMessageTimeoutMs);
    },
  };
}

function openTunnel(webSocket: WebSocket, text: string): Tunnel | undefined {
  try {
    const tunnel = new Tunnel(webSocket, parseProxyRequest(text), (end) => close(webSocket, end));
    void tunnel.open();
    return tunnel;
  } catch (error) {
    if (!(error instanceof SpriteError)) throw error;
    webSocket.sendJson({ status: 'error', error: error.message });
    webSocket.close(closeCodes.protocol, error.message);
    return undefined;
  }
}

function close(webSocket: WebSocket, end: TunnelEnd): void {
  if (end.type === 'closed') webSocket.close(closeCodes.normal);
  else webSocket.close(closeCodes.failed, end.reason);
}
