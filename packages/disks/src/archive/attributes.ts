import type { ExportEntry } from '@sprites/contract/export';
import { readXattrs, removeXattr, writeXattr, type Xattr } from '@sprites/linux';

type EntryXattrs = Extract<ExportEntry, { readonly op: 'directory' }>['xattrs'];

const overlayOpaque = 'trusted.overlay.opaque';
const overlayRedirect = 'trusted.overlay.redirect';
const capability = 'security.capability';
const acls = new Set(['system.posix_acl_access', 'system.posix_acl_default']);

/**
 * What overlayfs notes for itself alone: where a file of the image was copied from, and what it found out about directories.
 * It finds out again; elsewhere it would be wrong.
 */
const ownNotes = /^trusted\.overlay\.(origin|impure|nlink|upper|uuid|protattr)$/;

/** Extended attributes as they go into an archive, and the names of those that do not. */
export async function exportXattrs(
  path: Buffer,
): Promise<{ readonly xattrs: EntryXattrs; readonly left: readonly string[] }> {
  const all = await readXattrs(path);
  const xattrs: EntryXattrs = [];
  const left: string[] = [];
  for (const xattr of all) {
    if (isCarried(xattr)) xattrs.push([xattr.name, xattr.value.toString('base64')]);
    else if (!ownNotes.test(xattr.name)) left.push(xattr.name);
  }
  return { xattrs, left };
}

/** Whether an attribute may come from an archive: nothing that means something to the host. */
export function isCarried({ name, value }: Xattr): boolean {
  if (name === overlayOpaque) return value.equals(Buffer.from('y'));
  if (name === overlayRedirect) return isRedirect(value);
  if (name === capability) return isCapability(value);
  return acls.has(name) || (name.startsWith('user.') && /^[^\0]+$/.test(name));
}

/** Gives what is at `path` exactly these attributes; what overlayfs notes for itself goes, too. */
export async function writeXattrs(path: Buffer, wanted: readonly Xattr[]): Promise<void> {
  const names = new Set(wanted.map(({ name }) => name));
  for (const { name } of await readXattrs(path)) if (!names.has(name)) await removeXattr(path, name);
  for (const xattr of wanted) await writeXattr(path, xattr);
}

/** A name, or a path from the top of the image; no step up. */
function isRedirect(value: Buffer): boolean {
  if (value.length === 0 || value.length > 4096 || value.includes(0)) return false;
  const steps = value.toString('latin1').replace(/^\//, '').split('/');
  return (
    steps.every((step) => step !== '' && step !== '.' && step !== '..') &&
    (value[0] === 0x2f || steps.length === 1)
  );
}

/** linux/capability.h: revision 2, or revision 3 with the root of a user namespace inside the sprite. */
function isCapability(value: Buffer): boolean {
  const revision = value.length < 4 ? 0 : value.readUInt32LE(0) >>> 24;
  if (revision === 2) return value.length === 20;
  return revision === 3 && value.length === 24 && value.readUInt32LE(20) < 65_536;
}
