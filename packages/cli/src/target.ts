import type { Sprite, SpritesClient } from '@sprites/sdk';
import { type Cli, type GlobalOptions, isInteractive } from './cli.ts';
import { UsageError } from './cli-error.ts';
import { type Connection, parseSpriteUrl, resolveConnection } from './connection.ts';
import { askChoice } from './terminal/ask.ts';
import { withProgress } from './terminal/progress.ts';

/** A server to talk to. */
export type Server = { readonly client: SpritesClient; readonly connection: Connection };

/** Finds the server and makes a client of it; asks the server nothing. */
export async function openServer(cli: Cli, options: GlobalOptions): Promise<Server> {
  const { environment, cwd } = cli;
  const connection = await resolveConnection({ environment, cwd, org: options.org });
  const { SpritesClient } = await import('@sprites/sdk');
  return { client: new SpritesClient(connection.token, { baseURL: connection.apiUrl }), connection };
}

/** A handle on the sprite the command is about; asks the user when none is named and there is a terminal. */
export async function openSprite(cli: Cli, options: GlobalOptions, name?: string): Promise<Sprite> {
  const server = await openServer(cli, options);
  return server.client.sprite(await chooseSpriteName(cli, server, options, name));
}

/** The name of the sprite: argument, `-s`, `SPRITE_URL`, `.sprite`, and then the user's choice. */
export async function chooseSpriteName(
  cli: Cli,
  server: Server,
  options: GlobalOptions,
  name?: string,
): Promise<string> {
  const known = name ?? namedSprite(cli, server, options);
  if (known !== undefined) return checkName(known);
  if (isInteractive(cli)) return pickSprite(cli, server.client, 'Which sprite?');
  throw new UsageError('no sprite named; use -s <name>, or `sprite use <name>` for this directory');
}

/** The sprite that options, environment or directory name, if they do. */
export function namedSprite(
  { environment }: Cli,
  { connection }: Server,
  options: GlobalOptions,
): string | undefined {
  const { spriteUrl } = environment;
  const fromUrl = spriteUrl === undefined ? undefined : parseSpriteUrl(spriteUrl).sprite;
  return options.sprite ?? fromUrl ?? connection.project?.sprite;
}

/** Lets the user pick one of the organization's sprites. */
export async function pickSprite(cli: Cli, client: SpritesClient, question: string): Promise<string> {
  const sprites = await withProgress(cli, 'listing sprites', () => client.listAllSprites());
  if (sprites.length === 0) throw new UsageError('there are no sprites yet; make one with `sprite create`');
  return askChoice(
    cli,
    question,
    sprites.map(({ name, status }) => ({ value: name, label: name, ...(status ? { hint: status } : {}) })),
  );
}

function checkName(name: string): string {
  if (name !== '' && !/[\x00-\x20/]/.test(name)) return name;
  throw new UsageError(`${JSON.stringify(name)} is not a sprite name`);
}
