import { attribute, type NetlinkRequest } from './netlink.ts';

// Numbers of linux/rtnetlink.h, if_link.h, if_addr.h and neighbour.h.
const newLink = 16;
const delLink = 17;
const newAddress = 20;
const newRoute = 24;
const newNeighbour = 28;
const create = 0x400;
const exclusive = 0x200;
const replace = 0x100;
const inet = 2;
const inet6 = 10;
const up = 1;
const noArp = 0x80;

/** One end of a virtual cable. */
export type CableEnd = { readonly name: string; readonly mac: string };

/** Makes a virtual cable with its second end in the network namespace of an open file. */
export function addCable(near: CableEnd, far: CableEnd, netnsFd: number): NetlinkRequest {
  const peer = Buffer.concat([
    linkHeader(0, 0),
    attribute(3, far.name),
    attribute(1, macBytes(far.mac)),
    attribute(28, netnsFd),
  ]);
  const info = Buffer.concat([attribute(1, 'veth'), attribute(2, attribute(1, peer))]);
  return {
    label: `add interface ${near.name}`,
    kind: newLink,
    flags: create | exclusive,
    body: Buffer.concat([
      linkHeader(0, 0),
      attribute(3, near.name),
      attribute(1, macBytes(near.mac)),
      attribute(18, info),
    ]),
  };
}

/** Brings an interface up. */
export function setUp(name: string): NetlinkRequest {
  const body = Buffer.concat([linkHeader(0, up), attribute(3, name)]);
  return { label: `set ${name} up`, kind: newLink, flags: 0, body };
}

/**
 * Brings an interface up that neither asks nor answers who has an address, for IPv4 and IPv6: its neighbours must be
 * written down. The other end can then not fill the host's table of neighbours, nor learn the host's addresses.
 */
export function setUpWithoutNeighbours(name: string): NetlinkRequest {
  const noAddresses = attribute(inet6, attribute(8, Uint8Array.of(1)));
  const body = Buffer.concat([linkHeader(0, up | noArp), attribute(3, name), attribute(26, noAddresses)]);
  return { label: `set ${name} up`, kind: newLink, flags: 0, body };
}

/** Removes an interface, and with it the other end of a cable. */
export function deleteLink(name: string): NetlinkRequest {
  return {
    label: `delete interface ${name}`,
    kind: delLink,
    flags: 0,
    body: Buffer.concat([linkHeader(0, 0), attribute(3, name)]),
  };
}

/** Gives an interface a single IPv4 address. */
export function addAddress(index: number, address: string): NetlinkRequest {
  const header = Buffer.from([inet, 32, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32LE(index, 4);
  const bytes = addressBytes(address);
  return {
    label: `add address ${address}`,
    kind: newAddress,
    flags: create | exclusive,
    body: Buffer.concat([header, attribute(2, bytes), attribute(1, bytes)]),
  };
}

/** Writes down which hardware address an IPv4 neighbour has, for good. */
export function putNeighbour(index: number, address: string, mac: string): NetlinkRequest {
  const permanent = 0x80;
  const header = Buffer.alloc(12);
  header[0] = inet;
  header.writeInt32LE(index, 4);
  header.writeUInt16LE(permanent, 8);
  return {
    label: `put neighbour ${address}`,
    kind: newNeighbour,
    flags: create | replace,
    body: Buffer.concat([header, attribute(1, addressBytes(address)), attribute(2, macBytes(mac))]),
  };
}

/** Sends one IPv4 address to an interface; `source` is the host's own address towards it. */
export function putHostRoute(index: number, address: string, source: string): NetlinkRequest {
  const link = 253;
  return {
    label: `put route ${address}`,
    kind: newRoute,
    flags: create | replace,
    body: Buffer.concat([
      routeHeader({ prefixLength: 32, scope: link, flags: 0 }),
      attribute(1, addressBytes(address)),
      attribute(4, index),
      attribute(7, addressBytes(source)),
    ]),
  };
}

/** Sends everything to a gateway that no network of the interface contains. */
export function putDefaultRoute(index: number, gateway: string): NetlinkRequest {
  const onlink = 4;
  return {
    label: `put default route ${gateway}`,
    kind: newRoute,
    flags: create | replace,
    body: Buffer.concat([
      routeHeader({ prefixLength: 0, scope: 0, flags: onlink }),
      attribute(5, addressBytes(gateway)),
      attribute(4, index),
    ]),
  };
}

function linkHeader(index: number, flags: number): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32LE(index, 4);
  header.writeUInt32LE(flags, 8);
  header.writeUInt32LE(flags, 12);
  return header;
}

function routeHeader({
  prefixLength,
  scope,
  flags,
}: {
  prefixLength: number;
  scope: number;
  flags: number;
}): Buffer {
  const mainTable = 254;
  const staticProtocol = 4;
  const unicast = 1;
  const header = Buffer.from([
    inet,
    prefixLength,
    0,
    0,
    mainTable,
    staticProtocol,
    scope,
    unicast,
    0,
    0,
    0,
    0,
  ]);
  header.writeUInt32LE(flags, 8);
  return header;
}

function addressBytes(address: string): Uint8Array {
  return Uint8Array.from(address.split('.'), Number);
}

function macBytes(mac: string): Uint8Array {
  return Uint8Array.from(mac.split(':'), (digits) => Number.parseInt(digits, 16));
}
