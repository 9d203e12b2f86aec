import { type FileEvent, parseObject } from '@sprites/contract';

/** Reads a message of a watch; undefined for what is none. */
export function parseFileEvent(text: string): FileEvent | undefined {
  const value = parseObject(text);
  switch (value?.type) {
    case 'subscribed':
    case 'event':
    case 'error':
      // The server is ours, and what it adds to these shapes is left to the reader.
      return value as FileEvent;
    default:
      return undefined;
  }
}
