import { renameSync } from 'node:fs';
import type { RenameRequest } from '@sprites/contract/files';
import { attempt } from './attempt.ts';
import { toBytes, toKernel } from './byte-path.ts';
import type { OperationContext } from './context.ts';

/** The answer to a rename. */
export type Renamed = { readonly source: string; readonly dest: string };

/** Renames in one step; a file that has the new name is replaced. */
export async function rename(request: RenameRequest, { act }: OperationContext): Promise<Renamed> {
  const { source, dest, asRoot } = request;
  const from = toBytes(source);
  act(asRoot, () => attempt(from, () => renameSync(toKernel(from), toKernel(toBytes(dest)))));
  return { source, dest };
}
