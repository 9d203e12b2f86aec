/**
 * The place of `transport.ts` in browsers, which cannot send a token with a WebSocket. Everything over plain HTTP works
 * there, `execFileHTTP` included; what needs a WebSocket says so.
 */
const message =
  'commands over a WebSocket need a request header, which browsers cannot send; use execFileHTTP instead';

/** Always throws. */
export function spawn(): never {
  throw new TypeError(message);
}

/** Cannot be made in a browser. */
export class SpriteCommand {
  constructor() {
    throw new TypeError(message);
  }
}

/** Cannot be made in a browser. */
export class ControlConnection {
  constructor() {
    throw new TypeError(message);
  }
}

/** Always throws. */
export function connectPort(): never {
  throw new TypeError(message);
}

/** Cannot be made in a browser. */
export class ProxySession {
  constructor() {
    throw new TypeError(message);
  }

  static async listen(): Promise<never> {
    throw new TypeError(message);
  }

  static async listenAll(): Promise<never> {
    throw new TypeError(message);
  }
}

/** Cannot be made in a browser. */
export class SocketStream {
  constructor() {
    throw new TypeError(message);
  }

  static async open(): Promise<never> {
    throw new TypeError(message);
  }
}

/** Has no connections in a browser, and opens none. */
export class ControlPool {
  readonly size = 0;

  async start(): Promise<never> {
    throw new TypeError(message);
  }

  async acquire(): Promise<never> {
    throw new TypeError(message);
  }

  close(): void {}
}
