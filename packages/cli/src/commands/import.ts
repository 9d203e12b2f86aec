import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import { type Cli, type GlobalOptions, note, print, printJson } from '../cli.ts';
import { CliError, UsageError } from '../cli-error.ts';
import { openServer } from '../target.ts';
import { TransferMeter } from '../transfer/transfer-meter.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';

type ImportOptions = GlobalOptions & { readonly image?: string; readonly json?: boolean };

/** Defines `sprite import`. */
export function defineImport({ program, cli }: CommandHost): void {
  const command = createServerCommand('import', 'make a sprite from a file that `sprite export` wrote', [
    'sprite import my-sprite.tar.zst',
    'sprite import -o prod:acme backup.tar.zst restored',
    'sprite import --image standard backup.tar.zst',
  ])
    .argument('<file>', 'the export; - is standard input')
    .argument('[new-name]', 'name of the new sprite; default is its name in the export')
    .option('--image <name>', 'image to use when the server lacks the build the sprite was exported with')
    .option('--json', 'print the new sprite as JSON')
    .action((file: string, name: string | undefined) => importSprite(cli, allOptions(command), file, name));
  program.addCommand(command);
}

async function importSprite(
  cli: Cli,
  options: ImportOptions,
  source: string,
  name: string | undefined,
): Promise<void> {
  const { client } = await openServer(cli, options);
  if (source === '-' && cli.stdin.isTTY === true) throw new UsageError('name a file, or pipe an export in');
  await using file = source === '-' ? undefined : await openFile(path.resolve(cli.cwd, source), source);
  const bytes = file === undefined ? cli.stdin : file.createReadStream({ autoClose: false });
  const meter = new TransferMeter(cli, 'importing');
  try {
    const sprite = await client.importSprite(meter.count(bytes), {
      ...(name === undefined ? {} : { name }),
      ...(options.image === undefined ? {} : { image: options.image }),
    });
    meter.stop();
    if (options.json === true) {
      printJson(cli, sprite.info);
      return;
    }
    note(cli, `${cli.style.good('✓')} imported ${sprite.name} (${meter.summary()})`);
    print(cli, sprite.url ?? sprite.name);
  } finally {
    meter.stop();
  }
}

async function openFile(file: string, name: string): Promise<FileHandle> {
  try {
    return await open(file, 'r');
  } catch (cause) {
    throw new CliError(`cannot read ${name}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}
