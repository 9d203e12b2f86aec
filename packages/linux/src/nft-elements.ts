import { attribute, Netlink, type NetlinkRequest, netlinkProtocol } from './netlink.ts';

const subsystem = 10;
const batchBegin = 0x10;
const batchEnd = 0x11;
const newElement = (subsystem << 8) | 12;
const deleteElement = (subsystem << 8) | 14;
const create = 0x400;
const nested = 0x8000;
const familyInet = 1;

/** An IPv4 address to put into a set, and for how long. */
export type TimedAddress = { readonly address: string; readonly timeoutMs: number };

/**
 * Puts addresses into nft sets of family `inet` straight through the kernel's interface: no tool is asked, which would first
 * read all rules of the host. Close it when it is not needed any more.
 */
export class NftElements {
  readonly #netlink = new Netlink(netlinkProtocol.netfilter);

  /**
   * Adds the addresses to the set, or gives those that are in it the new time, and takes those that are `gone` out, in one
   * step. Rejects with a NetlinkError when there is no such set or no room in it.
   */
  async put(
    table: string,
    set: string,
    addresses: readonly TimedAddress[],
    gone: readonly string[] = [],
  ): Promise<void> {
    if (addresses.length === 0) return;
    // Adding what is there changes nothing on older kernels, and deleting what is not there fails: so all three.
    const leaving = gone.map((address) => ({ address, timeoutMs: 1 }));
    const plain = elementsOf(table, set, [...addresses, ...leaving], false);
    const timed = elementsOf(table, set, addresses, true);
    await this.#netlink.request([
      { label: 'begin', kind: batchBegin, flags: 0, body: header(0, subsystem), unanswered: true },
      request('add element', newElement, create, plain),
      request('delete element', deleteElement, 0, plain),
      request('add element', newElement, create, timed),
      { label: 'end', kind: batchEnd, flags: 0, body: header(0, subsystem), unanswered: true },
    ]);
  }

  close(): void {
    this.#netlink.close();
  }
}

function request(label: string, kind: number, flags: number, attributes: Buffer): NetlinkRequest {
  return { label, kind, flags, body: Buffer.concat([header(familyInet, 0), attributes]) };
}

/** The netfilter header: family, version, and a resource in network order. */
function header(family: number, resource: number): Buffer {
  return Buffer.of(family, 0, resource >> 8, resource & 255);
}

function elementsOf(table: string, set: string, addresses: readonly TimedAddress[], timed: boolean): Buffer {
  const elements = addresses.map(({ address, timeoutMs }) => {
    const key = attribute(1 | nested, attribute(1, Buffer.from(address.split('.').map(Number))));
    const timeout = Buffer.alloc(8);
    timeout.writeBigUInt64BE(BigInt(Math.max(1, Math.round(timeoutMs))));
    return attribute(1 | nested, timed ? Buffer.concat([key, attribute(4, timeout)]) : key);
  });
  return Buffer.concat([
    attribute(1, table),
    attribute(2, set),
    attribute(3 | nested, Buffer.concat(elements)),
  ]);
}
