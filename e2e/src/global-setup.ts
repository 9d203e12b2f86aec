import { startTestServer } from '@sprites/testkit';

/**
 * Starts the server that the tests share and tells them of it by SPRITES_E2E_*; a server named there already is used as it is.
 * Returns what stops it, after showing what it logged as failed.
 */
export default async function setup(): Promise<() => Promise<void>> {
  if (process.env.SPRITES_E2E_URL !== undefined) return async () => {};
  const server = await startTestServer();
  process.env.SPRITES_E2E_URL = server.baseUrl;
  process.env.SPRITES_E2E_TOKEN = server.token;
  process.env.SPRITES_E2E_PID = String(server.pid);
  process.env.SPRITES_E2E_OTHER_TOKEN = await server.otherOrgToken();
  return async () => {
    const complaints = server.log.split('\n').filter((line) => /^(?!\{"level":"(info|debug)")./.test(line));
    if (complaints.length > 0) console.log(`The shared server complained:\n${complaints.join('\n')}`);
    await server.close();
  };
}
