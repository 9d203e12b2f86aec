import { parseObject } from '../exec/messages.ts';

/** A TCP port on which something in the sprite listens, or no longer does. Spec sections 5.7 and 9.2. */
export type PortEvent = {
  readonly type: 'port_opened' | 'port_closed';
  readonly port: number;
  /** the address it listens on, such as `127.0.0.1`, `0.0.0.0` or `::` */
  readonly address: string;
  /** a process that has it open, where that could be found */
  readonly pid?: number;
};

/** The first message of a watch: what is open already. */
export type PortList = { readonly type: 'port_list'; readonly ports: readonly PortEvent[] };

/** Reads a message of a watch, or of an exec socket; undefined for any other. */
export function parsePortMessage(text: string): PortEvent | PortList | undefined {
  const value = parseObject(text);
  if (value?.type !== 'port_list') return value === undefined ? undefined : toEvent(value);
  const ports: readonly unknown[] = Array.isArray(value.ports) ? value.ports : [];
  return {
    type: 'port_list',
    ports: ports.flatMap((one) => (isObject(one) ? (toEvent({ ...one }) ?? []) : [])),
  };
}

function toEvent(value: Readonly<Record<string, unknown>>): PortEvent | undefined {
  const { type, port, address, pid } = value;
  if (type !== 'port_opened' && type !== 'port_closed') return undefined;
  if (typeof port !== 'number' || typeof address !== 'string') return undefined;
  return { type, port, address, ...(typeof pid === 'number' ? { pid } : {}) };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
