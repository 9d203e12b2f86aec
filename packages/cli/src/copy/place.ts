import { UsageError } from '../cli-error.ts';

/** Where something is copied from or to: a path of this machine, or one in a sprite. */
export type Place =
  | { readonly type: 'local'; readonly path: string }
  /** without a name it is the sprite of `-s` or of the directory */
  | { readonly type: 'sprite'; readonly name: string | undefined; readonly path: string };

/** Reads `name:/path`, `:/path` or a local path. A colon behind a slash belongs to the path, as in `./a:b`. */
export function parsePlace(text: string): Place {
  if (text === '') throw new UsageError('a path is missing');
  const match = /^([^/:\\]*):(.*)$/s.exec(text);
  if (match === null) return { type: 'local', path: text };
  const [, name = '', path = ''] = match;
  return { type: 'sprite', name: name === '' ? undefined : name, path: path === '' ? '.' : path };
}

/** The last part of a path, empty when it names the contents of a directory, as `dir/.` does. */
export function lastName(path: string): string {
  const name = path.replace(/\/+$/, '').split('/').at(-1) ?? '';
  return name === '.' || name === '..' ? '' : name;
}

/** A path in a sprite below another. */
export function below(directory: string, name: string): string {
  return name === '' ? directory : `${directory.replace(/\/+$/, '')}/${name}`;
}
