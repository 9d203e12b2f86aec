import type { ProxySession, Sprite, SpriteCommand } from '@sprites/sdk';

/** No command gets more of this machine's ports. */
const mostForwarded = 64;

/** Lower ones are for the machine's own services, and only root could have them. */
const firstFreePort = 1024;

/** What a command's message says of a port; undefined for other messages. */
type Change = { readonly isOpen: boolean; readonly port: number };

/**
 * Makes ports that a command opens in its sprite reachable at ports of this machine: at the same number where that is
 * free, else at another. Ends with the answer's call.
 */
export function forwardPorts(
  sprite: Sprite,
  command: SpriteCommand,
  tell: (port: number, localAddress: string) => void,
): () => void {
  const sessions = new Map<number, Promise<ProxySession | undefined>>();
  let isOver = false;
  const open = async (port: number): Promise<ProxySession | undefined> => {
    const session = await listen(sprite, port);
    if (isOver) session?.close();
    else if (session !== undefined) tell(port, session.localAddr());
    return session;
  };
  const close = (port: number): void => {
    void sessions.get(port)?.then((session) => session?.close());
    sessions.delete(port);
  };
  const take = (message: object): void => {
    const change = toChange(message);
    if (change === undefined) return;
    if (!change.isOpen) close(change.port);
    else if (!sessions.has(change.port) && sessions.size < mostForwarded) {
      sessions.set(change.port, open(change.port));
    }
  };
  command.on('message', take);
  return () => {
    isOver = true;
    command.off('message', take);
    for (const port of [...sessions.keys()]) close(port);
  };
}

/** What the user is told of a forwarded port. */
export function describeForward(port: number, localAddress: string): string {
  return `sprite: port ${port} of the sprite is at http://${localAddress}`;
}

async function listen(sprite: Sprite, port: number): Promise<ProxySession | undefined> {
  for (const localPort of port < firstFreePort ? [0] : [port, 0]) {
    try {
      // Connections fail on their own, and whoever made them hears of it.
      return (await sprite.proxyPort(localPort, port)).on('error', () => undefined);
    } catch {
      // It is taken: then any other does.
    }
  }
  return undefined;
}

function toChange(message: object): Change | undefined {
  const { type, port }: { readonly type?: unknown; readonly port?: unknown } = message;
  if ((type !== 'port_opened' && type !== 'port_closed') || typeof port !== 'number') return undefined;
  return { isOpen: type === 'port_opened', port };
}
