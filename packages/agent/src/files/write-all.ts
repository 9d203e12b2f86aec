import type { ServerResponse } from 'node:http';

/** Writes and waits until the bytes have left, so that the buffer may be used again; false when the client has gone. */
export async function writeAll(response: ServerResponse, bytes: string | Buffer): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const onClose = (): void => resolve(false);
  response.once('close', onClose);
  response.write(bytes, (error) => resolve(error === null || error === undefined));
  try {
    return !response.destroyed && (await promise);
  } finally {
    response.off('close', onClose);
  }
}
