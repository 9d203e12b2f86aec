import { defaultPageSize, SpriteError } from '@sprites/contract';
import type { SpriteRecord, Store } from '../ports/store.ts';

export type SpritePage = {
  readonly sprites: readonly SpriteRecord[];
  /** where the next page begins, or undefined on the last one */
  readonly nextToken: string | undefined;
};

/** One page of an org's sprites by name. Throws `invalid_request` for a token this server did not make. */
export async function listSprites(
  deps: { readonly store: Store },
  input: {
    readonly orgId: string;
    readonly prefix?: string;
    readonly limit?: number;
    readonly token?: string;
  },
): Promise<SpritePage> {
  const limit = input.limit ?? defaultPageSize;
  const found = await deps.store.listSprites({
    orgId: input.orgId,
    ...(input.prefix === undefined ? {} : { prefix: input.prefix }),
    ...(input.token === undefined || input.token === '' ? {} : { after: decodeToken(input.token) }),
    limit: limit + 1,
  });
  const sprites = found.slice(0, limit);
  const last = sprites.at(-1);
  return {
    sprites,
    nextToken: found.length > limit && last !== undefined ? encodeToken(last.name) : undefined,
  };
}

function encodeToken(name: string): string {
  return btoa(`after:${name}`);
}

function decodeToken(token: string): string {
  try {
    const text = atob(token);
    if (text.startsWith('after:')) return text.slice('after:'.length);
  } catch {
    // not base 64: refused below like every other token that is not ours
  }
  throw new SpriteError(
    'invalid_request',
    'continuation_token: not a token of this server; start without one',
  );
}
