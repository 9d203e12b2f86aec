/** A block of IPv4 addresses. */
export type Cidr = {
  /** first address as an unsigned number */
  readonly base: number;
  readonly prefixLength: number;
};

/** The number of a dotted IPv4 address, or undefined when the text is not one. */
export function parseAddress(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = value * 256 + Number(part);
  }
  return value;
}

/** The dotted text of an address. */
export function formatAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}

/** The block of `a.b.c.d/n` or of a single address; undefined when malformed or when bits beyond the prefix are set. */
export function parseCidr(text: string): Cidr | undefined {
  const [address = '', length = '32', ...rest] = text.split('/');
  const base = parseAddress(address);
  if (base === undefined || rest.length > 0 || !/^(0|[1-9][0-9]?)$/.test(length)) return undefined;
  const prefixLength = Number(length);
  if (prefixLength > 32 || base % size({ base, prefixLength }) !== 0) return undefined;
  return { base, prefixLength };
}

export function formatCidr(cidr: Cidr): string {
  return `${formatAddress(cidr.base)}/${cidr.prefixLength}`;
}

/** How many addresses the block has. */
export function size(cidr: Cidr): number {
  return 2 ** (32 - cidr.prefixLength);
}

/** Whether every address of `inner` is in `outer`. */
export function contains(outer: Cidr, inner: Cidr): boolean {
  return inner.base >= outer.base && inner.base + size(inner) <= outer.base + size(outer);
}

/** Whether the blocks share an address. */
export function overlaps(a: Cidr, b: Cidr): boolean {
  return a.base < b.base + size(b) && b.base < a.base + size(a);
}
