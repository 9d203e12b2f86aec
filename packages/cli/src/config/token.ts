import { CliError } from '../cli-error.ts';

/** What a token says about itself; the rest of it is opaque. */
export type TokenParts = { readonly org: string };

/** Reads the organization out of `org-slug/org-id/token-id/secret` (or the older `org-slug/token-id/secret`). */
export function parseToken(token: string): TokenParts {
  const parts = token.split('/');
  const org = parts[0];
  if (parts.length < 3 || parts.length > 4 || org === undefined || parts.includes('') || /\s/.test(token)) {
    throw new CliError('this is not a token; it must look like org-slug/org-id/token-id/token-value');
  }
  return { org };
}
