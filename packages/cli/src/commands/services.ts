import { parseServiceFlags, type ServiceFlags } from '@sprites/contract/services';
import type { ServiceLogStream, ServiceWithState } from '@sprites/sdk';
import { type Cli, type GlobalOptions, note, print, printJson } from '../cli.ts';
import { UsageError } from '../cli-error.ts';
import { openSprite } from '../target.ts';
import { formatAge } from '../terminal/age.ts';
import { withProgress } from '../terminal/progress.ts';
import { printable } from '../terminal/style.ts';
import { formatFields, formatTable } from '../terminal/table.ts';
import { allOptions, type CommandHost, collect, createServerCommand } from './command-host.ts';
import { createLogsCommand } from './service-logs.ts';
import { showStream } from './service-stream.ts';

type Command = ReturnType<typeof createServerCommand>;
type JsonOptions = GlobalOptions & { readonly json?: boolean };
type StreamOptions = GlobalOptions & { readonly duration?: string };
type CreateOptions = StreamOptions & ServiceFlags & { readonly stream: boolean };
type StopOptions = GlobalOptions & { readonly timeout?: string };

/** Defines `sprite services` with everything that can be done with them. */
export function defineServices({ program, cli, exit }: CommandHost): void {
  const command = createServerCommand(
    'services',
    'supervised processes of a sprite: started at boot and after a crash',
    [
      'sprite services',
      'sprite services create web --http-port 3000 -- node server.js',
      'sprite services logs web --follow',
      'sprite services stop web',
    ],
  ).alias('service');
  command.addCommand(createListCommand(cli), { isDefault: true });
  command.addCommand(createGetCommand(cli));
  command.addCommand(createCreateCommand(cli, exit));
  command.addCommand(createStartCommand(cli, exit));
  command.addCommand(createStopCommand(cli, exit));
  command.addCommand(createRestartCommand(cli, exit));
  command.addCommand(createSignalCommand(cli));
  command.addCommand(createLogsCommand(cli));
  command.addCommand(createDeleteCommand(cli));
  program.addCommand(command);
}

function createListCommand(cli: Cli): Command {
  const command = createServerCommand('list', 'list services; wakes the sprite', [
    'sprite services list --json',
  ])
    .alias('ls')
    .option('--json', 'print JSON')
    .action(async () => {
      const options = allOptions<JsonOptions>(command);
      const sprite = await openSprite(cli, options);
      const services = await withProgress(cli, 'listing services', () => sprite.listServices());
      if (options.json === true) printJson(cli, services);
      else if (services.length === 0)
        note(cli, `${sprite.name} has no services; see \`sprite services create --help\``);
      else print(cli, renderServices(cli, services, Date.now()));
    });
  return command;
}

function renderServices({ style }: Cli, services: readonly ServiceWithState[], nowMs: number): string {
  const heading = ['NAME', 'STATUS', 'STARTED', 'RESTARTS', 'PORT', 'COMMAND'].map(style.dim);
  const rows = services.map(({ name, cmd, args, httpPort, state }) => [
    style.bold(printable(name)),
    state.status,
    state.startedAt === undefined ? '-' : formatAge(new Date(state.startedAt), nowMs),
    String(state.restartCount),
    httpPort === undefined ? '-' : String(httpPort),
    shorten(printable([cmd, ...args].join(' '))),
  ]);
  return formatTable(heading, rows);
}

function shorten(text: string): string {
  return text.length > 50 ? `${text.slice(0, 49)}…` : text;
}

function createGetCommand(cli: Cli): Command {
  const command = createServerCommand('get', 'show a service', ['sprite services get web'])
    .argument('<service>', 'name')
    .option('--json', 'print JSON')
    .action(async (name: string) => {
      const options = allOptions<JsonOptions>(command);
      const sprite = await openSprite(cli, options);
      const service = await withProgress(cli, `asking for ${name}`, () => sprite.getService(name));
      if (options.json === true) printJson(cli, service);
      else print(cli, renderService(cli, service));
    });
  return command;
}

function renderService({ style }: Cli, { state, ...service }: ServiceWithState): string {
  const fields = [
    ['name', service.name],
    ['command', [service.cmd, ...service.args].join(' ')],
    ['directory', service.dir ?? 'home'],
    ['user', service.user ?? 'sprite'],
    ['variables', Object.keys(service.env).join(', ') || '-'],
    ['needs', service.needs.join(', ') || '-'],
    ['http port', String(service.httpPort ?? '-')],
    ['status', state.status],
    ['pid', String(state.pid ?? '-')],
    ['started', state.startedAt ?? '-'],
    ['restarts', String(state.restartCount)],
    ['next restart', state.nextRestartAt ?? '-'],
    ['error', state.error || '-'],
  ] as const;
  return formatFields(fields.map(([name, value]) => [style.dim(name), printable(value)]));
}

function createCreateCommand(cli: Cli, exit: CommandHost['exit']): Command {
  const command = createServerCommand('create', 'define a service, or define it anew, and start it', [
    'sprite services create web --http-port 3000 -- node server.js',
    'sprite services create worker --needs web --env MODE=fast,LEVEL=2 --dir /srv -- python3 worker.py',
    'sprite services create web --cmd node --args server.js,--verbose',
  ])
    .argument('<service>', 'name')
    .argument('[command...]', 'program and arguments, behind --')
    .option('--cmd <program>', 'program to run')
    .option('--args <list>', 'its arguments, separated by commas', collect)
    .option('--env <list>', 'variables: K=v,K2=v2', collect)
    .option('--dir <path>', 'working directory; default the home directory')
    .option('--needs <list>', 'services to start before it, separated by commas', collect)
    .option('--http-port <port>', 'port that the address of the sprite leads to')
    .option('--user <name>', 'account to run as; default sprite')
    .option('--duration <time>', 'how long to show its first output; default 5s')
    .option('--no-stream', 'do not wait for its output')
    .action(async (name: string, words: readonly string[]) => {
      const options = allOptions<CreateOptions>(command);
      const { http_port: httpPort, ...rest } = readFlags(name, options, words);
      const service = { ...rest, ...(httpPort === undefined ? {} : { httpPort }) };
      const sprite = await openSprite(cli, options);
      const duration = options.stream ? options.duration : '0';
      exit(await follow(cli, `creating ${name}`, () => sprite.createService(name, service, duration)));
    });
  return command;
}

function readFlags(
  name: string,
  flags: ServiceFlags,
  words: readonly string[],
): ReturnType<typeof parseServiceFlags> {
  try {
    return parseServiceFlags(name, flags, words);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function createStartCommand(cli: Cli, exit: CommandHost['exit']): Command {
  const command = createServerCommand('start', 'start a service, and first what it needs', [
    'sprite services start web',
  ])
    .argument('<service>', 'name')
    .option('--duration <time>', 'how long to show its first output; default 5s')
    .action(async (name: string) => {
      const options = allOptions<StreamOptions>(command);
      const sprite = await openSprite(cli, options);
      exit(await follow(cli, `starting ${name}`, () => sprite.startService(name, options.duration)));
    });
  return command;
}

function createStopCommand(cli: Cli, exit: CommandHost['exit']): Command {
  const command = createServerCommand('stop', 'stop a service until it is started again', [
    'sprite services stop web --timeout 30s',
  ])
    .argument('<service>', 'name')
    .option('--timeout <time>', 'how long to wait before SIGKILL; default 10s')
    .action(async (name: string) => {
      const options = allOptions<StopOptions>(command);
      const sprite = await openSprite(cli, options);
      exit(await follow(cli, `stopping ${name}`, () => sprite.stopService(name, options.timeout)));
    });
  return command;
}

function createRestartCommand(cli: Cli, exit: CommandHost['exit']): Command {
  const command = createServerCommand('restart', 'stop a service and start it', [
    'sprite services restart web',
  ])
    .argument('<service>', 'name')
    .option('--duration <time>', 'how long to show its first output; default 5s')
    .action(async (name: string) => {
      const options = allOptions<StreamOptions>(command);
      const sprite = await openSprite(cli, options);
      exit(await follow(cli, `restarting ${name}`, () => sprite.restartService(name, options.duration)));
    });
  return command;
}

/** Shows a stream to its end under a spinner until it begins. */
async function follow(cli: Cli, text: string, open: () => Promise<ServiceLogStream>): Promise<number> {
  return await showStream(cli, await withProgress(cli, text, open));
}

function createSignalCommand(cli: Cli): Command {
  const command = createServerCommand('signal', 'signal a service; one that ends of it is started again', [
    'sprite services signal web HUP',
  ])
    .argument('<service>', 'name')
    .argument('<signal>', 'name or number')
    .action(async (name: string, signal: string) => {
      const sprite = await openSprite(cli, allOptions<GlobalOptions>(command));
      await withProgress(cli, `signalling ${name}`, () => sprite.signalService(name, signal));
    });
  return command;
}

function createDeleteCommand(cli: Cli): Command {
  const command = createServerCommand('delete', 'stop and forget a service; its log stays', [
    'sprite services delete web',
  ])
    .alias('rm')
    .argument('<service>', 'name')
    .action(async (name: string) => {
      const sprite = await openSprite(cli, allOptions<GlobalOptions>(command));
      await withProgress(cli, `deleting ${name}`, () => sprite.deleteService(name));
      note(cli, `${cli.style.good('✓')} deleted ${name} of ${sprite.name}`);
    });
  return command;
}
