import { access } from 'node:fs/promises';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { ExportEnd } from '@sprites/contract/export';
import { type Cli, type GlobalOptions, note } from '../cli.ts';
import { UsageError } from '../cli-error.ts';
import { copyOutput } from '../exec/output.ts';
import { openSprite } from '../target.ts';
import { printable } from '../terminal/style.ts';
import { checkArchive } from '../transfer/archive-check.ts';
import { exists, writeWhole } from '../transfer/target-file.ts';
import { TransferMeter } from '../transfer/transfer-meter.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';

type ExportOptions = GlobalOptions & { readonly force?: boolean };

/** Exit code of an export that lacks what could not be read. */
const incompleteExitCode = 3;
const mostListed = 20;

/** Defines `sprite export`. */
export function defineExport({ program, cli, exit }: CommandHost): void {
  const command = createServerCommand(
    'export',
    'write a sprite with files, checkpoints and settings to a file',
    [
      'sprite export my-sprite.tar.zst',
      'sprite export -s my-sprite --force backup.tar.zst',
      'sprite export -s my-sprite - | ssh other sprite import - my-sprite',
    ],
  )
    .argument('[file]', 'where to; - is standard output, default is <sprite>.tar.zst')
    .option('--force', 'replace the file if it is there')
    .addHelpText(
      'after',
      '\nThe sprite goes on, and is not woken. The file is checked as it comes and appears when it is whole.\n' +
        'Files that a damaged disk does not give are left out and listed; the exit code is 3 then.',
    )
    .action(async (file: string | undefined) => exit(await exportSprite(cli, allOptions(command), file)));
  program.addCommand(command);
}

async function exportSprite(cli: Cli, options: ExportOptions, argument: string | undefined): Promise<number> {
  const sprite = await openSprite(cli, options);
  const target = argument ?? `${sprite.name}.tar.zst`;
  if (target === '-' && cli.stdout.isTTY === true) {
    throw new UsageError('an export is not for a terminal; name a file, or pipe it on');
  }
  const file = path.resolve(cli.cwd, target);
  if (target !== '-' && options.force !== true && (await isThere(file))) throw exists(target);
  const meter = new TransferMeter(cli, `exporting ${sprite.name}`);
  try {
    const bytes = meter.count(await sprite.export());
    const end =
      target === '-' ? await toOutput(cli, bytes) : await toFile(file, options.force === true, bytes);
    meter.stop();
    const checked = end === undefined ? 'not checked, which needs Node 22.15 or newer' : 'checked';
    note(cli, `${cli.style.good('✓')} exported ${sprite.name} (${meter.summary()}, ${checked})`);
    return end === undefined ? 0 : report(cli, end);
  } finally {
    meter.stop();
  }
}

async function toFile(
  file: string,
  force: boolean,
  bytes: AsyncIterable<Uint8Array>,
): Promise<ExportEnd | undefined> {
  let end: ExportEnd | undefined;
  await writeWhole(file, force, async (to) => {
    end = await checkArchive(passing(bytes, (chunk) => to.write(chunk)));
  });
  return end;
}

async function toOutput(cli: Cli, bytes: AsyncIterable<Uint8Array>): Promise<ExportEnd | undefined> {
  const through = new PassThrough();
  const copying = copyOutput(through, cli.stdout);
  const written = async (chunk: Uint8Array): Promise<void> => {
    if (!through.write(chunk))
      await Promise.race([new Promise((resolve) => through.once('drain', resolve)), copying]);
  };
  try {
    return await checkArchive(passing(bytes, written));
  } finally {
    through.end();
    await Promise.all([copying, finished(through)]);
  }
}

async function* passing(
  bytes: AsyncIterable<Uint8Array>,
  write: (chunk: Uint8Array) => Promise<void>,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of bytes) {
    await write(chunk);
    yield chunk;
  }
}

function report(cli: Cli, { problems, problem_count: count }: ExportEnd): number {
  if (count === 0) return 0;
  const noun = count === 1 ? 'thing' : 'things';
  note(cli, `${cli.style.warn('!')} ${count} ${noun} could not be exported:`);
  for (const { tree, path: name, reason } of problems.slice(0, mostListed)) {
    note(
      cli,
      `  ${tree === 'Current' ? '' : `${tree}: `}${printable(name ?? 'all files')}: ${printable(reason)}`,
    );
  }
  if (count > mostListed) note(cli, `  and ${count - mostListed} more; see end.json in the file`);
  return incompleteExitCode;
}

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
