#!/usr/bin/env node
import { SpriteError } from '@sprites/contract';
import { Command, InvalidArgumentError } from 'commander';
import { down } from './commands/down.ts';
import { buildImage, importImage, listImages, removeImage } from './commands/image.ts';
import {
  describeService,
  installService,
  printService,
  type ServiceOptions,
  uninstallService,
} from './commands/service.ts';
import { start } from './commands/start.ts';
import { makeToken } from './commands/token.ts';
import { type Config, type ConfigSources, readConfig } from './config/config.ts';
import { addSettings } from './config/options.ts';
import { version } from './version.ts';

const program = new Command('sprites-server')
  .description('Sprites, self-hosted: the server. Every setting is a flag or a variable; flags win.')
  .version(version)
  .showHelpAfterError('(see sprites-server --help)')
  .enablePositionalOptions(false);

addSettings(program);

program
  .command('start', { isDefault: true })
  .description('start the server in the foreground; Ctrl-C stops it and leaves the sprites running')
  .action(() => run(start));

program
  .command('down')
  .description(
    'stop all sprites of a server that is not running and release all it holds of the host; nothing is lost',
  )
  .action(() => run(down));

const image = program.command('image').description('the base images of this server');
image
  .command('build <recipe>')
  .description(
    'build an image from its recipe: minimal, standard or full; nothing to do when it is up to date',
  )
  .action((recipe: string) => run((config) => buildImage(config, recipe)));
image
  .command('list')
  .description('list the installed images')
  .option('--json', 'print JSON')
  .action((options: { json?: true }) => run((config) => listImages(config, options.json === true)));
image
  .command('import <path>')
  .description('install a root file system: a tar (plain, gz, xz, zst) or an OCI layout (directory or tar)')
  .requiredOption('--name <name>', 'name of the image', imageName)
  .action((path: string, options: { name: string }) =>
    run((config) => importImage(config, path, options.name)),
  );
image
  .command('rm <name>')
  .description('remove an image, by name or digest; refused while a sprite uses it')
  .action((name: string) => run((config) => removeImage(config, name)));

const token = program.command('token').description('the tokens of this server');
token
  .command('create')
  .description('make a token of an organisation, which is made when it does not exist, and print it')
  .requiredOption('--org <slug>', 'the organisation')
  .option('--description <text>', 'what the token is for', '')
  .action((options: { org: string; description: string }) => run((config) => makeToken(config, options)));

const service = program.command('service').description('the server as a systemd service of this host');
const serviceOptions = (command: Command): Command =>
  command
    .option('--name <name>', 'name of the unit, for hosts with several servers', unitName, 'sprites')
    .option('--root <dir>', 'root directory of the system that the unit is for', '/');
serviceOptions(service.command('install'))
  .description(
    'write unit and settings file (mode 0600), with the settings given here, and start the service',
  )
  .option('--print', 'only show what would be written')
  .action((options: ServiceOptions & { print?: true }) =>
    (options.print === true ? printService : installService)(sources(), options),
  );
serviceOptions(service.command('uninstall'))
  .description('stop the server and remove its unit; settings, data and running sprites stay')
  .action((options: ServiceOptions) => uninstallService(options));
serviceOptions(service.command('status'))
  .description('say whether the service is installed and runs; exit code 0 when it runs')
  .action(async (options: ServiceOptions) => {
    process.exitCode = await describeService(options);
  });

function unitName(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/.test(text)) return text;
  throw new InvalidArgumentError('a name has 1 to 63 letters, digits, hyphens and underscores.');
}

function imageName(text: string): string {
  if (/^[a-z0-9][a-z0-9._-]{0,62}$/.test(text)) return text;
  throw new InvalidArgumentError(
    'a name has 1 to 63 lower-case letters, digits, dots, hyphens and underscores.',
  );
}

async function run(command: (config: Config) => Promise<void>): Promise<void> {
  await command(readConfig(sources()));
}

function sources(): ConfigSources {
  return { flags: program.opts(), env: process.env };
}

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`sprites-server: ${describe(error)}\n`);
  process.exitCode = 1;
}

function describe(error: unknown): string {
  if (error instanceof SpriteError) return error.message.replaceAll('\n', '\nsprites-server: ');
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
