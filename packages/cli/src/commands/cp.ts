import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { SpriteFilesystem } from '@sprites/sdk';
import { type Cli, type GlobalOptions, note } from '../cli.ts';
import { CliError, UsageError } from '../cli-error.ts';
import { CopyMeter } from '../copy/copy-meter.ts';
import { downloadFile } from '../copy/download-file.ts';
import { downloadTree } from '../copy/download-tree.ts';
import { below, lastName, type Place, parsePlace } from '../copy/place.ts';
import { uploadFile } from '../copy/upload-file.ts';
import { uploadTree } from '../copy/upload-tree.ts';
import { openSprite } from '../target.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';

/** Defines `sprite cp`. */
export function defineCp({ program, cli }: CommandHost): void {
  const command = createServerCommand('cp', 'copy files and directories into and out of a sprite', [
    'sprite cp ./app my-sprite:/home/sprite/',
    'sprite cp notes.txt my-sprite:notes.txt',
    'sprite cp my-sprite:/var/log ./logs',
    'sprite cp -s my-sprite :data.tar .',
  ])
    .argument('<paths...>', 'what to copy, then where to; in a sprite as NAME:PATH or, with -s, :PATH')
    .option('-r, --recursive', 'accepted and without effect: directories are always copied whole')
    .addHelpText(
      'after',
      '\nA directory at the destination gets what is copied into it, dir/. copies what is in dir. Modes, times and symlinks' +
        '\nare kept, checksums compared. Large files go on where an attempt before ended: repeat the same command.',
    )
    .action((paths: string[]) => copy(cli, allOptions(command), paths));
  program.addCommand(command);
}

async function copy(cli: Cli, options: GlobalOptions, words: readonly string[]): Promise<void> {
  const places = words.map(parsePlace);
  const dest = places.at(-1);
  const sources = places.slice(0, -1);
  if (dest === undefined || sources.length === 0) throw new UsageError('say what to copy and where to');
  const remote = dest.type === 'sprite' ? [dest] : sources;
  const names = new Set(remote.map((place) => (place.type === 'sprite' ? place.name : undefined)));
  if (sources.some((one) => one.type === dest.type)) {
    throw new UsageError('one side must be in a sprite, as NAME:PATH, and the other on this machine');
  }
  if (names.size > 1) throw new UsageError('all sources must be in one sprite');
  const [name] = names;
  const sprite = await openSprite(cli, options, name);
  const meter = new CopyMeter(cli);
  try {
    for (const source of sources)
      await copyOne(cli, sprite.filesystem(), { source, dest, isOne: sources.length === 1 }, meter);
  } finally {
    meter.stop();
  }
}

type Copy = { readonly source: Place; readonly dest: Place; readonly isOne: boolean };

async function copyOne(
  cli: Cli,
  files: SpriteFilesystem,
  { source, dest, isOne }: Copy,
  meter: CopyMeter,
): Promise<void> {
  if (dest.type === 'sprite') {
    const from = path.resolve(cli.cwd, source.path);
    const into = !isOne || dest.path.endsWith('/') || (await isRemoteDirectory(files, dest.path));
    const name = into ? below(dest.path, lastName(source.path)) : dest.path;
    await upload(files, { source: from, dest: name }, meter);
    return;
  }
  const to = path.resolve(cli.cwd, dest.path);
  const into = !isOne || dest.path.endsWith('/') || (await isLocalDirectory(to));
  const name = lastName(source.path);
  const skipped = await download(
    files,
    { source: source.path, dest: into ? path.join(to, name) : to },
    meter,
  );
  for (const one of skipped) note(cli, `sprite: left out ${one}: a symlink that leads out of what is copied`);
}

async function upload(
  files: SpriteFilesystem,
  what: { readonly source: string; readonly dest: string },
  meter: CopyMeter,
): Promise<void> {
  const stats = await stat(what.source).catch((cause: NodeJS.ErrnoException) => {
    throw new CliError(`cannot copy ${what.source}: ${cause.code ?? cause.message}`, { cause });
  });
  if (stats.isDirectory()) await uploadTree(files, what, meter);
  else if (stats.isFile()) await uploadFile(files, what, meter);
  else throw new CliError(`cannot copy ${what.source}: it is neither a file nor a directory`);
}

async function download(
  files: SpriteFilesystem,
  { source, dest }: { readonly source: string; readonly dest: string },
  meter: CopyMeter,
): Promise<readonly string[]> {
  const info = await files.stat(source);
  if (info.isDir) return downloadTree(files, { source: info, dest }, meter);
  if (info.type !== 'file') throw new CliError(`cannot copy ${source}: it is neither a file nor a directory`);
  await downloadFile(files, { info, dest }, meter);
  return [];
}

async function isRemoteDirectory(files: SpriteFilesystem, name: string): Promise<boolean> {
  return (await files.exists(name)) && (await files.stat(name)).isDir;
}

async function isLocalDirectory(name: string): Promise<boolean> {
  return stat(name).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}
