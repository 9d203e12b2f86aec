import { ExecError, type Sprite, SpritesClient } from '@sprites/sdk';
import { startTestServer } from '@sprites/testkit';
import { openAuthority } from './authority.ts';
import { type GitHost, openGitHost } from './git-host.ts';
import type { HostRegistries } from './host-registries.ts';
import { prepareStandardImage } from './standard-image.ts';

/** How long the first run may take to build image `standard`, in `ms`. */
export const buildTimeoutMs = 30 * 60_000;

/** A sprite of image `standard` that reaches what this host reaches, and a git server nobody else knows. */
export type Internet = AsyncDisposable & {
  readonly sprite: Sprite;
  readonly gitHost: GitHost;
};

/** Starts a server whose sprites trust what this host and the tests trust, with one sprite that uses the host's registries. */
export async function openInternet(registries: HostRegistries): Promise<Internet> {
  await using stack = new AsyncDisposableStack();
  const authority = await openAuthority();
  const { SPRITES_IMAGES_DIR: imagesDir, ...settings } = await prepareStandardImage(authority);
  const gitHost = stack.use(await openGitHost(authority));
  const server = stack.use(
    await startTestServer({
      imagesDir,
      image: 'standard',
      settings: { ...settings, SPRITES_NETWORK_ALLOW: registries.addresses.join(',') },
    }),
  );
  const client = new SpritesClient(server.token, { baseURL: server.baseUrl });
  const sprite = await client.createSprite('internet', { environment: registries.environment });
  stack.defer(() => sprite.destroy());
  const resources = stack.move();
  return { sprite, gitHost, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

/** Runs a script in the sprite as its user; a failure is an error with all the script said. */
export async function shell(sprite: Sprite, script: string): Promise<string> {
  try {
    return (await sprite.execFile('bash', ['-euo', 'pipefail', '-c', script])).stdout;
  } catch (error) {
    if (!(error instanceof ExecError)) throw error;
    throw new Error(`exit code ${error.exitCode}: ${script}\n${error.stdout}\n${error.stderr}`, {
      cause: error,
    });
  }
}
