import { endpoints } from '@sprites/contract';
import { request, requestJson, type Server, streamed } from './http/request.ts';
import { RestoreStream, VerifyStream } from './http/streams.ts';
import type { CallOptions, Checkpoint, ListCheckpointsOptions, RestorePathsOptions } from './options.ts';
import { toCheckpoint } from './wire.ts';

/** The live disk and the checkpoints of a sprite. */
export async function listCheckpoints(
  server: Server,
  name: string,
  { history, includeAuto, signal }: ListCheckpointsOptions,
): Promise<Checkpoint[]> {
  const query = new URLSearchParams();
  if (history) query.set('history', history);
  if (includeAuto === true) query.set('includeAuto', 'true');
  const params = { name };
  const list = await requestJson(server, endpoints.listCheckpoints, { params, query, signal });
  return list.map(toCheckpoint);
}

/** Compares checkpoints of a sprite, all when none is named, with their checksums. */
export async function verifyCheckpoints(
  server: Server,
  name: string,
  ids: readonly string[],
  { signal }: CallOptions,
): Promise<VerifyStream> {
  const response = await request(server, endpoints.verifyCheckpoints, {
    params: { name },
    json: ids.length === 0 ? {} : { ids },
    accept: 'application/x-ndjson',
    signal,
    timeoutMs: 0,
  });
  return new VerifyStream(response);
}

/** Puts paths of a checkpoint back into the running sprite. */
export async function restorePaths(
  server: Server,
  { name, id, paths }: { readonly name: string; readonly id: string; readonly paths: readonly string[] },
  { remove, signal }: RestorePathsOptions,
): Promise<RestoreStream> {
  const response = await request(server, endpoints.restoreCheckpoint, {
    params: { name, checkpoint: id },
    json: { paths, ...(remove === undefined ? {} : { remove }) },
    ...streamed({ signal }),
  });
  return new RestoreStream(response);
}
