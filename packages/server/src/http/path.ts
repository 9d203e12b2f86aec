import { SpriteError } from '@sprites/contract';

/** A request target, split: segments are decoded one by one after splitting, so `%2F` stays inside its segment. */
export type Target = { readonly segments: readonly string[]; readonly search: string };

/** Splits a request target in origin form. Throws `invalid_request` for broken percent-encoding. */
export function parseTarget(url: string): Target {
  const mark = url.indexOf('?');
  const path = mark === -1 ? url : url.slice(0, mark);
  try {
    return {
      segments: path.split('/').slice(1).map(decodeURIComponent),
      search: mark === -1 ? '' : url.slice(mark),
    };
  } catch (error) {
    throw new SpriteError('invalid_request', 'the path has broken percent-encoding', { cause: error });
  }
}

/** The parameters of `target` when it matches a path with `{parameter}` segments. */
export function matchPath(pattern: string, segments: readonly string[]): Record<string, string> | undefined {
  const parts = pattern.split('/').slice(1);
  if (parts.length !== segments.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, part] of parts.entries()) {
    const segment = segments[index] ?? '';
    if (part.startsWith('{')) parameters[part.slice(1, -1)] = segment;
    else if (part !== segment) return undefined;
  }
  return parameters;
}
