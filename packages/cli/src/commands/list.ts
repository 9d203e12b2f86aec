import type { SpriteInfo, SpritesClient } from '@sprites/sdk';
import { type Cli, type GlobalOptions, note, print, printJson } from '../cli.ts';
import { openServer } from '../target.ts';
import { formatAge } from '../terminal/age.ts';
import { withProgress } from '../terminal/progress.ts';
import { printable } from '../terminal/style.ts';
import { formatTable } from '../terminal/table.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';
import { watchSprites } from './watch.ts';

type ListOptions = GlobalOptions & {
  readonly watch?: boolean;
  readonly prefix?: string;
  readonly json?: boolean;
};

/** Defines `sprite list`. */
export function defineList({ program, cli }: CommandHost): void {
  const command = createServerCommand('list', 'list the sprites of the organization', [
    'sprite list',
    'sprite list --prefix dev',
    'sprite list -w',
    "sprite list --json | jq -r '.[].name'",
  ])
    .alias('ls')
    .option('-w, --watch', 'stay and show changes as they happen')
    .option('--prefix <prefix>', 'only names that begin with this')
    .option('--json', 'print JSON; with --watch one object a line')
    .action(() => list(cli, allOptions(command)));
  program.addCommand(command);
}

async function list(cli: Cli, options: ListOptions): Promise<void> {
  const { client } = await openServer(cli, options);
  if (options.watch === true) {
    await watchSprites(cli, client, options);
    return;
  }
  const sprites = await withProgress(cli, 'listing sprites', () => listInfo(client, options.prefix));
  if (options.json === true) printJson(cli, sprites);
  else if (sprites.length > 0) print(cli, renderSprites(cli, sprites, Date.now()));
  else note(cli, 'no sprites; make one with `sprite create <name>`');
}

async function listInfo(client: SpritesClient, prefix: string | undefined): Promise<readonly SpriteInfo[]> {
  const all: SpriteInfo[] = [];
  let continuationToken: string | undefined;
  do {
    const page = await client.listSprites({
      maxResults: 100,
      ...(prefix === undefined ? {} : { prefix }),
      ...(continuationToken === undefined ? {} : { continuationToken }),
    });
    all.push(...page.sprites);
    continuationToken = page.hasMore ? page.nextContinuationToken : undefined;
  } while (continuationToken !== undefined);
  return all;
}

/** What the table shows of a sprite. */
export type SpriteRow = Pick<SpriteInfo, 'name' | 'status'> &
  Partial<Pick<SpriteInfo, 'url' | 'labels' | 'createdAt' | 'lastRunningAt'>>;

/** The table of sprites. */
export function renderSprites(cli: Cli, sprites: readonly SpriteRow[], nowMs: number): string {
  const { style } = cli;
  const heading = ['NAME', 'STATUS', 'LAST RUN', 'LABELS', 'URL'].map(style.dim);
  const rows = sprites.map((sprite) => [
    style.bold(printable(sprite.name)),
    renderStatus(cli, sprite.status),
    formatAge(sprite.lastRunningAt, nowMs),
    printable((sprite.labels ?? []).join(', ')) || '-',
    printable(sprite.url ?? '-'),
  ]);
  return formatTable(heading, rows);
}

/** A sprite's state in its colour. */
export function renderStatus({ style }: Cli, status: string): string {
  if (status === 'running') return style.good(status);
  return status === 'warm' ? style.warn(status) : style.dim(printable(status));
}
