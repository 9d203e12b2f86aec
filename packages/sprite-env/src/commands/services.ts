import { parseServiceFlags, type ServiceFlags } from '@sprites/contract/services';
import type { Command } from 'commander';
import type { Api, Question } from '../api.ts';
import { formatTable, note, print, printable, printJson } from '../terminal.ts';
import { type CommandHost, collect, createCommand } from './command.ts';

type CreateOptions = ServiceFlags & { readonly duration?: string; readonly stream: boolean };
type LogsOptions = { readonly lines?: string; readonly follow?: boolean; readonly duration?: string };
type Line = Readonly<Record<string, unknown>>;

const longestFollow = '24h';

/** Defines `sprite-env services`. */
export function defineServices({ program, api, exit }: CommandHost): void {
  const services = createCommand('services', 'supervised processes: started at boot and after a crash', [
    'sprite-env services create web --cmd node --args server.js --http-port 3000',
    'sprite-env services create web -- node server.js --verbose',
    'sprite-env services logs web --follow',
  ]).alias('service');
  services.addCommand(createList(api), { isDefault: true });
  services.addCommand(createGet(api));
  services.addCommand(createCreate(api, exit));
  for (const verb of ['start', 'restart'] as const) services.addCommand(createStart(api, exit, verb));
  services.addCommand(createStop(api));
  services.addCommand(createSignal(api));
  services.addCommand(createLogs(api));
  services.addCommand(createDelete(api));
  program.addCommand(services);
}

function createList(api: Api): Command {
  return createCommand('list', 'list services', ['sprite-env services list'])
    .alias('ls')
    .option('--json', 'print JSON')
    .action(async ({ json }: { readonly json?: boolean }) => {
      const list = await api.askJson({ path: '/v1/services' });
      if (json === true || !Array.isArray(list)) printJson(list);
      else if (list.length === 0) note('there are no services; make one with: sprite-env services create');
      else print(formatTable([['NAME', 'STATUS', 'PID', 'RESTARTS', 'COMMAND'], ...list.map(toRow)]));
    });
}

function toRow(service: unknown): readonly string[] {
  const { name, cmd, args, state } = Object(service);
  const { status, pid, restart_count: restarts } = Object(state);
  const command = [cmd, ...(Array.isArray(args) ? args : [])].join(' ').slice(0, 60);
  return [name, status, pid ?? '-', restarts, command].map(printable);
}

function createGet(api: Api): Command {
  return createCommand('get', 'show a service as JSON', ['sprite-env services get web'])
    .argument('<name>')
    .action(async (name: string) => printJson(await api.askJson({ path: pathOf(name) })));
}

function createCreate(api: Api, exit: CommandHost['exit']): Command {
  return createCommand('create', 'define a service, or define it anew, and start it', [
    'sprite-env services create web --cmd python3 --args -m,http.server,3000 --http-port 3000',
    'sprite-env services create worker --needs web --env MODE=fast,LEVEL=2 -- node worker.js',
  ])
    .argument('<name>')
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
    .action(async (name: string, words: readonly string[], options: CreateOptions) => {
      const body = JSON.stringify(parseServiceFlags(name, options, words));
      const query = options.stream ? durationQuery(options.duration) : '?duration=0';
      exit(await follow(api, { method: 'PUT', path: `${pathOf(name)}${query}`, body }));
    });
}

function createStart(api: Api, exit: CommandHost['exit'], verb: 'start' | 'restart'): Command {
  const what = verb === 'start' ? 'start a service, and first what it needs' : 'stop a service and start it';
  return createCommand(verb, what, [`sprite-env services ${verb} web`])
    .argument('<name>')
    .option('--duration <time>', 'how long to show its first output; default 5s')
    .action(async (name: string, { duration }: { readonly duration?: string }) => {
      exit(await follow(api, { method: 'POST', path: `${pathOf(name)}/${verb}${durationQuery(duration)}` }));
    });
}

function createStop(api: Api): Command {
  return createCommand('stop', 'stop a service until it is started again', ['sprite-env services stop web'])
    .argument('<name>')
    .option('--timeout <time>', 'how long to wait before SIGKILL; default 10s')
    .action(async (name: string, { timeout }: { readonly timeout?: string }) => {
      const query = timeout === undefined ? '' : `?timeout=${encodeURIComponent(timeout)}`;
      await follow(api, { method: 'POST', path: `${pathOf(name)}/stop${query}` });
    });
}

function createSignal(api: Api): Command {
  return createCommand('signal', 'signal a service; one that ends of it is started again', [
    'sprite-env services signal web HUP',
  ])
    .argument('<name>')
    .argument('<signal>')
    .action(async (name: string, signal: string) => {
      const body = JSON.stringify({ name, signal });
      await api.askJson({ method: 'POST', path: '/v1/services/signal', body });
    });
}

function createLogs(api: Api): Command {
  return createCommand('logs', 'show what a service wrote', [
    'sprite-env services logs web --lines 100',
    'sprite-env services logs web --follow',
  ])
    .argument('<name>')
    .option('-n, --lines <count>', 'only the last so many lines')
    .option('-f, --follow', 'go on with what it writes from now on')
    .option('--duration <time>', 'how long to follow')
    .action(async (name: string, { lines, follow: isFollowed, duration }: LogsOptions) => {
      const query = new URLSearchParams();
      if (lines !== undefined) query.set('lines', lines);
      if (duration !== undefined || isFollowed === true) query.set('duration', duration ?? longestFollow);
      await api.askLines({ path: `${pathOf(name)}/logs?${query}` }, showOutput);
    });
}

function createDelete(api: Api): Command {
  return createCommand('delete', 'stop and forget a service; its log stays', [
    'sprite-env services delete web',
  ])
    .alias('rm')
    .argument('<name>')
    .action(async (name: string) => {
      await api.askJson({ method: 'DELETE', path: pathOf(name) });
      note(`deleted ${name}`);
    });
}

/** Shows a stream; 1 when the service could not be started or has ended by itself. */
async function follow(api: Api, question: Question): Promise<number> {
  let exitCode = 0;
  await api.askLines(question, (line) => {
    showOutput(line);
    if (line.type === 'exit' || line.type === 'error') exitCode = 1;
    if (line.type === 'started') exitCode = 0;
    if (line.type === 'started' || line.type === 'stopping') note(line.type);
    if (line.type === 'stopped') note('stopped');
    if (line.type === 'exit') note(`ended by itself with status ${Number(line.exit_code)}`);
    if (line.type === 'error') note(`error: ${printable(line.data)}`);
  });
  return exitCode;
}

function showOutput({ type, data }: Line): void {
  if (typeof data !== 'string') return;
  if (type === 'stdout') process.stdout.write(data);
  if (type === 'stderr') process.stderr.write(data);
}

function pathOf(name: string): string {
  return `/v1/services/${encodeURIComponent(name)}`;
}

function durationQuery(duration: string | undefined): string {
  return duration === undefined ? '' : `?duration=${encodeURIComponent(duration)}`;
}
