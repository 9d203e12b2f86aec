import type { CheckpointRecord } from '../ports/store.ts';

/** The checkpoints that one descends from, oldest first; `sourceId` is the one it was made from. */
export function historyOf(
  all: ReadonlyMap<string, Pick<CheckpointRecord, 'sourceId'>>,
  sourceId: string | undefined,
): readonly string[] {
  const history: string[] = [];
  let id = sourceId;
  while (id !== undefined && !history.includes(id)) {
    history.unshift(id);
    id = all.get(id)?.sourceId;
  }
  return history;
}
