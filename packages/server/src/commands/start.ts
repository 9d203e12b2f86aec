import { startServer } from '../compose.ts';
import type { Config } from '../config/config.ts';

/** Runs the server until a signal asks it to stop; the sprites go on running. */
export async function start(config: Config): Promise<void> {
  const server = await startServer(config);
  await stopSignal();
  await server.close();
}

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process at once. */
export async function stopSignal(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      resolve();
      process.once(signal, () => process.exit(1));
    });
  }
  await promise;
}
