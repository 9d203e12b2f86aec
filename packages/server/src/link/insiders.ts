import type { Duplex } from 'node:stream';
import type { OrgRecord } from '@sprites/core';

/** A sprite that asks for something about itself. */
export type Insider = { readonly org: OrgRecord; readonly name: string };

const insiders = new WeakMap<object, Insider>();

/** Notes that requests on this stream come from inside a sprite; nothing else can make a stream count as that. */
export function admitInsider(stream: Duplex, insider: Insider): void {
  insiders.set(stream, insider);
}

/** The sprite a request's connection comes from; undefined for one from the network. */
export function insiderOf(stream: object): Insider | undefined {
  return insiders.get(stream);
}
