import { parseObject } from '../exec/messages.ts';
import { FileError } from './errors.ts';
import { resolvePath } from './paths.ts';

/** What a client of a watch asks for. Spec section 10.10. */
export type WatchRequest = {
  readonly type: 'subscribe' | 'unsubscribe';
  readonly paths: readonly WatchedPath[];
  readonly recursive: boolean;
};

/** A path as the client wrote it, which events begin with, and made absolute. */
export type WatchedPath = { readonly given: string; readonly path: string };

/** What a watch tells. */
export type FileEvent =
  | { readonly type: 'subscribed'; readonly paths: readonly string[] }
  | {
      readonly type: 'event';
      readonly path: string;
      readonly event: 'write' | 'create' | 'remove' | 'rename' | 'chmod';
      readonly timestamp: string;
      /** of what is there now; absent when nothing is */
      readonly size?: number;
      readonly isDir?: boolean;
    }
  /** with code `overflow` changes were lost: look again at what you watch */
  | { readonly type: 'error'; readonly message: string; readonly code?: string };

const mostPaths = 1000;

/** Reads a client's message. Throws `EINVAL`. */
export function parseWatchRequest(text: string): WatchRequest {
  const value = parseObject(text);
  const type = value?.type;
  if (type !== 'subscribe' && type !== 'unsubscribe') {
    throw new FileError('EINVAL', '', 'a message must be of type subscribe or unsubscribe');
  }
  const list: readonly unknown[] = Array.isArray(value?.paths) ? value.paths : [];
  if (list.length === 0 || list.length > mostPaths) {
    throw new FileError('EINVAL', '', `paths must be a list of 1 to ${mostPaths}`);
  }
  const workingDir =
    typeof value?.workingDir === 'string' && value.workingDir !== '' ? value.workingDir : undefined;
  return { type, recursive: value?.recursive === true, paths: list.map((one) => toPath(one, workingDir)) };
}

function toPath(given: unknown, workingDir: string | undefined): WatchedPath {
  if (typeof given !== 'string') throw new FileError('EINVAL', '', 'each of paths must be text');
  return { given, path: resolvePath(given, workingDir) };
}
