import { mostChunkBytes } from './entries.ts';

/** Name of the first member. */
export const manifestName = 'manifest.json';
/** Name of the last member. */
export const endName = 'end.json';
/** Largest first or last member, in bytes. */
export const mostManifestBytes = 8 * 1024 * 1024;
/** Largest part of a listing, in bytes. */
export const mostListingBytes = 4 * 1024 * 1024;

/** Name of a part of a tree's listing; parts are counted over the whole tree. */
export function listingName(tree: string, part: number): string {
  return `trees/${tree}/${String(part).padStart(8, '0')}.jsonl`;
}

/** Name of a piece of content. */
export function contentName(sha256: string): string {
  return `content/${sha256}`;
}

/** The most bytes a member of this name may have; undefined for one that no archive has. */
export function memberLimit(name: string): number | undefined {
  if (name === manifestName || name === endName) return mostManifestBytes;
  if (/^content\/[0-9a-f]{64}$/.test(name)) return mostChunkBytes;
  return /^trees\/[A-Za-z0-9-]{1,60}\/\d{8}\.jsonl$/.test(name) ? mostListingBytes : undefined;
}
