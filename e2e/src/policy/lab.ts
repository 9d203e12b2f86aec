import { SpritesClient } from '@sprites/sdk';
import { openTestInternet, startTestServer, type TestAddresses, type TestServer } from '@sprites/testkit';

/** A server whose sprites have an internet of their own, and a client for it. */
export type PolicyLab = AsyncDisposable & {
  readonly server: TestServer;
  readonly client: SpritesClient;
  readonly addresses: TestAddresses;
};

export async function openPolicyLab(more: Readonly<Record<string, string>> = {}): Promise<PolicyLab> {
  await using stack = new AsyncDisposableStack();
  const { addresses } = stack.use(await openTestInternet());
  const settings = { SPRITES_DNS_UPSTREAMS: addresses.resolver, SPRITES_READY_MACHINES: '0', ...more };
  const server = stack.use(await startTestServer({ settings }));
  const client = new SpritesClient(server.token, { baseURL: server.baseUrl });
  const resources = stack.move();
  return { server, client, addresses, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}
