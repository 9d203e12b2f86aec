import { readdir } from 'node:fs/promises';
import path from 'node:path';

/** The clone this script belongs to. */
export const root = path.resolve(import.meta.dirname, '..');

const skipped = new Set(['node_modules', 'dist', '.git', 'coverage', '.venv', 'generated']);

/** Absolute paths of all files below `folder` that people write, in a stable order. */
export async function listSources(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  const nested = await Promise.all(
    entries.map(async (entry) => {
      const file = path.join(folder, entry.name);
      if (entry.isDirectory()) return skipped.has(entry.name) ? [] : await listSources(file);
      return entry.isFile() ? [file] : [];
    }),
  );
  return nested.flat();
}
