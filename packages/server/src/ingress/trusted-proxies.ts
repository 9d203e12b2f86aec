import { BlockList, isIPv4, isIPv6, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { fieldValue, type RequestHead } from './http1/head.ts';
import type { ClientFacts } from './rewrite.ts';

/** Proxies in front of this server whose word about the client is taken. */
export class TrustedProxies {
  readonly #ranges = new BlockList();

  /** Takes addresses and ranges such as `127.0.0.1` and `10.0.0.0/8`. */
  constructor(ranges: readonly string[]) {
    for (const range of ranges) {
      const [address = '', bits] = range.split('/');
      const family = isIPv6(address) ? 'ipv6' : 'ipv4';
      if (bits === undefined) this.#ranges.addAddress(address, family);
      else this.#ranges.addSubnet(address, Number(bits), family);
    }
  }

  /** True when the connection comes from one of them. */
  includes(address: string): boolean {
    if (isIPv4(address)) return this.#ranges.check(address, 'ipv4');
    return isIPv6(address) && this.#ranges.check(address, 'ipv6');
  }

  /**
   * Tells who the clients of a connection's requests are. What a request itself says of that counts only from a trusted
   * proxy.
   */
  clientsOf(stream: Duplex): (head: RequestHead) => ClientFacts {
    const address = addressOf(stream);
    const isEncrypted = 'encrypted' in stream && stream.encrypted === true;
    const peer: ClientFacts = { address, proto: isEncrypted ? 'https' : 'http', via: undefined };
    if (!this.includes(address)) return () => peer;
    return ({ fields }) => {
      const said = fieldValue(fields, 'x-forwarded-proto')?.toLowerCase();
      const proto = said === 'https' || said === 'http' ? said : peer.proto;
      return { address, proto, via: fieldValue(fields, 'x-forwarded-for') };
    };
  }
}

/** The address at the other end, IPv4 ones in their own form. */
export function addressOf(stream: Duplex): string {
  const address = stream instanceof Socket ? (stream.remoteAddress ?? '') : '';
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/, '');
}
