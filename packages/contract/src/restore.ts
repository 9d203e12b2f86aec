/** Paths that the server asks an agent to make as they are in a checkpoint shown inside. */
export type RestoreOrder = {
  readonly checkpoint: string;
  readonly paths: readonly string[];
  /** whether paths that the checkpoint does not have are removed, not refused */
  readonly remove: boolean;
};

/** How much an agent put back: files, directories and others, and paths it removed. */
export type RestoreResult = { readonly restored: number; readonly removed: number };

/** Reads an order or a result that came over the wire; undefined when it is none. */
export function parseRestoreOrder(value: unknown): RestoreOrder | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (!('checkpoint' in value) || !('paths' in value) || !('remove' in value)) return undefined;
  const { checkpoint, paths, remove } = value;
  if (typeof checkpoint !== 'string' || !/^[a-z0-9-]{1,64}$/.test(checkpoint)) return undefined;
  if (!Array.isArray(paths) || typeof remove !== 'boolean') return undefined;
  const texts = paths.filter((path: unknown) => typeof path === 'string');
  return texts.length === paths.length ? { checkpoint, paths: texts, remove } : undefined;
}

/** Reads the answer of an agent, which is not trusted; undefined when it is none. */
export function parseRestoreResult(value: unknown): RestoreResult | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (!('restored' in value) || !('removed' in value)) return undefined;
  const { restored, removed } = value;
  if (!Number.isSafeInteger(restored) || !Number.isSafeInteger(removed)) return undefined;
  return typeof restored === 'number' && typeof removed === 'number' ? { restored, removed } : undefined;
}
