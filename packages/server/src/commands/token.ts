import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createToken, ensureOrg } from '@sprites/core';
import { openSqliteStore } from '@sprites/store/sqlite';
import type { Config } from '../config/config.ts';
import { systemClock } from '../system-clock.ts';

/** Makes a token and prints it; works beside a running server. */
export async function makeToken(
  config: Config,
  input: { readonly org: string; readonly description: string },
): Promise<void> {
  await mkdir(config.dataDir, { recursive: true, mode: 0o711 });
  const store = await openSqliteStore(join(config.dataDir, 'sprites.db'));
  try {
    const deps = { store, clock: systemClock };
    const token = await createToken(deps, await ensureOrg(deps, input.org), input.description);
    process.stdout.write(`${token}\n`);
  } finally {
    await store.close();
  }
}
