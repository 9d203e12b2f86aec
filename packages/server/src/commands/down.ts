import { access, realpath } from 'node:fs/promises';
import { openHost } from '../compose-host.ts';
import type { Config } from '../config/config.ts';
import { createLog } from '../log.ts';

/** Stops all sprites of a server that is not running and gives the host back what it held; the data stays. */
export async function down(config: Config): Promise<void> {
  const exists = await access(config.dataDir).then(
    () => true,
    () => false,
  );
  if (!exists) return;
  const dataDir = await realpath(config.dataDir);
  const signal = new AbortController().signal;
  await using host = await openHost({
    config,
    dataDir,
    log: createLog(config.logLevel),
    signal,
    starting: false,
  });
  await host.driver.repair();
  await host.release();
}
