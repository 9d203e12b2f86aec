import type { DiffTotals, FileFacts, PathChange } from '@sprites/sdk';
import { type Cli, type GlobalOptions, print } from '../cli.ts';
import { UsageError } from '../cli-error.ts';
import { openSprite } from '../target.ts';
import { formatBytes } from '../terminal/bytes.ts';
import { withProgress } from '../terminal/progress.ts';
import { printable } from '../terminal/style.ts';
import { checkId } from './choose-checkpoint.ts';
import { allOptions, createServerCommand } from './command-host.ts';

type DiffOptions = GlobalOptions & { readonly json?: boolean; readonly patch?: boolean };

const letters = { added: 'A', removed: 'D', changed: 'M', retyped: 'T', metadata: 'm' } as const;

/** Makes `sprite checkpoint diff`. */
export function createDiffCommand(cli: Cli): ReturnType<typeof createServerCommand> {
  const command = createServerCommand('diff', 'show which files differ; never wakes the sprite', [
    'sprite checkpoint diff v1',
    'sprite checkpoint diff v1 v2 /etc',
    'sprite checkpoint diff v1 Current /etc/hosts --patch',
  ])
    .argument('<checkpoint>', 'id of what was')
    .argument('[other]', 'id of what is; default Current, the live files')
    .argument('[path]', 'only this path and what is below it')
    .option('--json', 'print a line of JSON per path, and one with the totals')
    .option('--patch', 'show how the text of the file at the path differs')
    .addHelpText(
      'after',
      '\nA added, D removed, M content changed, T became another kind of file, m only owner, mode, time or attributes.',
    )
    .action((before: string, other: string | undefined, path: string | undefined) =>
      showDiff(cli, allOptions(command), readArguments(before, other, path)),
    );
  return command;
}

type Arguments = { readonly before: string; readonly after: string; readonly path: string | undefined };

/** A path is told by its slash, so that the second id can be left out before it. */
function readArguments(before: string, other: string | undefined, path: string | undefined): Arguments {
  const isPath = other?.startsWith('/') === true;
  if (isPath && path !== undefined) throw new UsageError(`${JSON.stringify(other)} is not a checkpoint id`);
  const named = isPath ? other : path;
  if (named !== undefined && !named.startsWith('/')) {
    throw new UsageError(`${JSON.stringify(named)} is not an absolute path`);
  }
  checkId(before);
  return { before, after: (isPath ? undefined : checkId(other)) ?? 'Current', path: named };
}

async function showDiff(cli: Cli, options: DiffOptions, { before, after, path }: Arguments): Promise<void> {
  const sprite = await openSprite(cli, options);
  if (options.patch === true) {
    if (path === undefined) throw new UsageError('--patch needs the path of a file');
    const patch = await withProgress(cli, 'comparing', () => sprite.patch(path, before, after));
    // a file that came from a sprite may hold anything; programs that read this want it as it is
    cli.stdout.write(cli.stdout.isTTY === true ? patch.split('\n').map(printable).join('\n') : patch);
    return;
  }
  const wish = path === undefined ? {} : { path };
  const changes = await withProgress(cli, 'comparing', () => sprite.diff(before, after, wish));
  for await (const change of changes) {
    print(cli, options.json === true ? JSON.stringify(plain(change)) : render(cli, change));
  }
  const { totals } = changes;
  if (totals === undefined) return;
  print(cli, options.json === true ? JSON.stringify({ totals }) : summarize(totals));
}

/** Bytes that are no text have no other form in JSON. */
function plain({ pathBytes, ...change }: PathChange): object {
  if (pathBytes === undefined) return change;
  return { ...change, pathBase64: Buffer.from(pathBytes).toString('base64') };
}

function render({ style }: Cli, change: PathChange): string {
  const { before, after, path } = change;
  const colour = {
    added: style.good,
    removed: style.bad,
    changed: style.warn,
    retyped: style.warn,
    metadata: style.dim,
  };
  const slash = (after ?? before)?.kind === 'directory' && path !== '/' ? '/' : '';
  const letter = colour[change.change](letters[change.change]);
  return `${letter} ${printable(path)}${slash}${style.dim(describe(change))}`;
}

function describe({ change, before, after }: PathChange): string {
  const present = after ?? before;
  if (change === 'metadata' && before !== undefined && after !== undefined)
    return `  ${describeMetadata(before, after)}`;
  if (change === 'retyped') return `  ${before?.kind} → ${after?.kind}`;
  if (present?.kind === 'symlink') return `  → ${printable(present.target ?? '')}`;
  if (present?.kind !== 'file') return '';
  if (change === 'changed') return `  ${formatBytes(before?.size ?? 0)} → ${formatBytes(after?.size ?? 0)}`;
  return `  ${formatBytes(present.size)}`;
}

function describeMetadata(before: FileFacts, after: FileFacts): string {
  const parts = [
    before.mode === after.mode ? [] : [`${before.mode} → ${after.mode}`],
    before.uid === after.uid && before.gid === after.gid
      ? []
      : [`${before.uid}:${before.gid} → ${after.uid}:${after.gid}`],
  ].flat();
  return parts.length === 0 ? 'time or attributes' : parts.join(', ');
}

function summarize(totals: DiffTotals): string {
  const words = [
    [totals.added, 'added'],
    [totals.removed, 'removed'],
    [totals.changed + totals.retyped, 'changed'],
    [totals.metadata, 'with other metadata'],
  ] as const;
  const parts = words.filter(([count]) => count > 0).map(([count, word]) => `${count} ${word}`);
  if (parts.length === 0) return 'no difference';
  return `${parts.join(', ')}; ${formatBytes(totals.bytesBefore)} → ${formatBytes(totals.bytesAfter)}`;
}
