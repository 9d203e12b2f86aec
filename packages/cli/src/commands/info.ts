import type { SpriteInfo } from '@sprites/sdk';
import { type Cli, type GlobalOptions, print, printJson } from '../cli.ts';
import { openSprite } from '../target.ts';
import { formatAge } from '../terminal/age.ts';
import { formatBytes } from '../terminal/bytes.ts';
import { withProgress } from '../terminal/progress.ts';
import { printable } from '../terminal/style.ts';
import { formatFields } from '../terminal/table.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';
import { describeLife, describeWake } from './describe-life.ts';
import { describeIdle } from './idle.ts';
import { renderStatus } from './list.ts';

type InfoOptions = GlobalOptions & { readonly json?: boolean };

/** Defines `sprite info`. */
export function defineInfo({ program, cli }: CommandHost): void {
  const command = createServerCommand('info', 'show what the server knows about a sprite; never wakes it', [
    'sprite info my-sprite',
    'sprite info --json -s my-sprite',
  ])
    .argument('[name]', 'sprite')
    .option('--json', 'print JSON')
    .action((name: string | undefined) => showInfo(cli, allOptions(command), name));
  program.addCommand(command);
}

async function showInfo(cli: Cli, options: InfoOptions, argument: string | undefined): Promise<void> {
  const handle = await openSprite(cli, options, argument);
  const sprite = await withProgress(cli, `asking for ${handle.name}`, () =>
    handle.client.getSprite(handle.name),
  );
  const { info } = sprite;
  if (info === undefined) return;
  if (options.json === true) printJson(cli, info);
  else print(cli, formatFields(fieldsOf(cli, info, Date.now())));
}

function describeStorage(storage: SpriteInfo['storage']): string | undefined {
  if (storage === undefined) return undefined;
  const { usedBytes, ownBytes, checkpointsBytes } = storage;
  const own = `${formatBytes(usedBytes)}, ${formatBytes(ownBytes)} of it its own`;
  return `${own}; checkpoints add ${formatBytes(checkpointsBytes)}`;
}

function fieldsOf(cli: Cli, info: SpriteInfo, nowMs: number): readonly (readonly [string, string])[] {
  const { cpus, ramMB, storageGB } = info.config;
  const plain: readonly (readonly [string, string | undefined])[] = [
    ['id', info.id],
    ['organization', info.organization],
    ['url', `${info.url} (${info.urlSettings.auth ?? 'sprite'})`],
    ['image', info.image],
    ['isolation', info.isolation],
    ['size', `${cpus} vCPU, ${ramMB} MB memory, ${storageGB} GB disk`],
    ['storage', describeStorage(info.storage)],
    ['life', describeLife(info.lifecycle)],
    ['last wake', describeWake(info.lifecycle)],
    ['idle', describeIdle(info.idle)],
    ['labels', info.labels.join(', ') || undefined],
    ['machines', String(info.incarnation)],
    ['created', formatAge(info.createdAt, nowMs)],
    ['last running', formatAge(info.lastRunningAt, nowMs)],
  ];
  const shown = plain.flatMap(([name, value]) =>
    value === undefined ? [] : [[cli.style.dim(name), printable(value)] as const],
  );
  return [
    [cli.style.dim('name'), cli.style.bold(printable(info.name))],
    [cli.style.dim('status'), renderStatus(cli, info.status)],
    ...shown,
  ];
}
