import type { CallOptions } from '../options.ts';

/** A port in the sprite to connect to. */
export type ConnectPortOptions = CallOptions & {
  /** default is `localhost` */
  readonly host?: string;
  readonly port: number;
};

/** A port of this machine and where its connections go. */
export type ProxyMapping = {
  /** 0 picks a free one */
  readonly localPort: number;
  readonly remotePort: number;
  /** default is `localhost` */
  readonly remoteHost?: string;
};
