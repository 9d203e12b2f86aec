/** One file or directory as `fs/list` shows it. Spec section 10.4. */
export type FileEntry = {
  readonly name: string;
  readonly path: string;
  /** `other` is a device, FIFO or socket */
  readonly type: 'file' | 'directory' | 'symlink' | 'other';
  readonly size: number;
  /** permission bits as octal text */
  readonly mode: string;
  readonly modTime: string;
  readonly isDir: boolean;
  readonly uid: number;
  readonly gid: number;
  /** where a symlink points to */
  readonly target?: string;
  /** the bytes of a name that is no UTF-8, in base64; `name` and `path` then have U+FFFD for what is none */
  readonly nameBytes?: string;
  /** why a recursive list does not hold what is in this directory */
  readonly error?: string;
};

/** Permission bits as four octal digits, the form the clients expect. */
export function formatMode(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}
