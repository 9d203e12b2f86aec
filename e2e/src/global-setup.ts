import { startTestServer } from '@sprites/testkit';

/**
 * Starts the server that the tests share and tells them of it by SPRITES_E2E_*; a server named there already is used as it is.
 * Returns what stops it.
 */
export default async function setup(): Promise<() => Promise<void>> {
  if (process.env.SPRITES_E2E_URL !== undefined) return async () => {};
  const server = await startTestServer();
  process.env.SPRITES_E2E_URL = server.baseUrl;
  process.env.SPRITES_E2E_TOKEN = server.token;
  process.env.SPRITES_E2E_OTHER_TOKEN = await server.otherOrgToken();
  return () => server.close();
}
