import type { SpriteStateEvent, SpritesClient } from '@sprites/sdk';
import { type Cli, print } from '../cli.ts';
import { renderSprites, renderStatus, type SpriteRow } from './list.ts';

type WatchOptions = { readonly prefix?: string; readonly json?: boolean };

/** Follows the sprites until the stream ends: a table that is redrawn on a terminal, one line per change elsewhere. */
export async function watchSprites(cli: Cli, client: SpritesClient, options: WatchOptions): Promise<void> {
  const stream = await client.watchSprites(options.prefix === undefined ? {} : { prefix: options.prefix });
  const rows = new Map<string, SpriteRow>();
  const redraw = cli.stdout.isTTY === true && options.json !== true;
  for await (const event of stream) {
    if (options.json === true) print(cli, JSON.stringify(event));
    const change = apply(rows, event);
    if (change === undefined) continue;
    if (redraw) draw(cli, rows);
    else if (options.json !== true) print(cli, `${change.name}  ${renderStatus(cli, change.status)}`);
  }
}

function apply(
  rows: Map<string, SpriteRow>,
  event: SpriteStateEvent,
): { readonly name: string; readonly status: string } | undefined {
  const { type, name, status, lastRunningAt } = event;
  if (type === 'heartbeat' || name === undefined) return undefined;
  if (type === 'deleted') {
    rows.delete(name);
    return { name, status: 'deleted' };
  }
  if (status === undefined) return undefined;
  rows.set(name, { name, status, ...(lastRunningAt === undefined ? {} : { lastRunningAt }) });
  return { name, status };
}

function draw(cli: Cli, rows: ReadonlyMap<string, SpriteRow>): void {
  const sorted = [...rows.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const table = renderSprites(cli, sorted, Date.now());
  cli.stdout.write(`\x1b[H\x1b[2J${table}\n${cli.style.dim('Ctrl-C ends')}\n`);
}
