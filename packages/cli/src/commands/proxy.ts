import { pipeline } from 'node:stream/promises';
import type { ProxySession, Sprite } from '@sprites/sdk';
import { type Cli, type GlobalOptions, note } from '../cli.ts';
import { CliError, UsageError } from '../cli-error.ts';
import { signalExitCode } from '../exec/signals.ts';
import { type Mapping, parseMapping, parseTarget, type Target } from '../ports/mapping.ts';
import { findPortHolder } from '../ports/port-holder.ts';
import { describeFailure } from '../report.ts';
import { openSprite } from '../target.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';

type ProxyOptions = GlobalOptions & { readonly stdio?: string };

/** Defines `sprite proxy`. */
export function defineProxy({ program, cli, exit }: CommandHost): void {
  const command = createServerCommand('proxy', 'reach TCP ports of a sprite at ports of this machine', [
    'sprite proxy 8080',
    'sprite proxy -s my-sprite 3000:80 5432',
    'sprite proxy 5432:db.internal:5432',
    'ssh -o ProxyCommand="sprite proxy -s my-sprite -W :22" sprite@my-sprite',
  ])
    .argument('[ports...]', 'PORT, LOCAL:REMOTE or LOCAL:HOST:REMOTE')
    .option('-W, --stdio <host:port>', 'connect stdin and stdout to this one; no host is localhost')
    .addHelpText(
      'after',
      '\nListens on 127.0.0.1 until Ctrl-C. Connections wake the sprite; waiting for them does not keep it awake.',
    )
    .action(async (ports: string[]) => exit(await proxy(cli, allOptions(command), ports)));
  program.addCommand(command);
}

async function proxy(cli: Cli, options: ProxyOptions, ports: readonly string[]): Promise<number> {
  if (options.stdio !== undefined) {
    if (ports.length > 0)
      throw new UsageError('-W connects one port to stdin and stdout; leave out the others');
    const target = parseTarget(options.stdio);
    return connectStdio(cli, await openSprite(cli, options), target);
  }
  if (ports.length === 0) throw new UsageError('no port given; use `sprite proxy <port>...`');
  const mappings = ports.map(parseMapping);
  const sprite = await openSprite(cli, options);
  // Nothing else would tell of a wrong name before the first connection.
  await sprite.client.getSprite(sprite.name);
  return serve(cli, sprite, mappings);
}

async function connectStdio(cli: Cli, sprite: Sprite, target: Target): Promise<number> {
  const tunnel = await sprite.connectPort(target);
  const input = pipeline(cli.stdin, tunnel).catch((error: unknown) => error);
  try {
    await pipeline(tunnel, cli.stdout, { end: false });
    return 0;
  } finally {
    // What comes from our side has no reader any more.
    cli.stdin.destroy();
    await input;
  }
}

async function serve(cli: Cli, sprite: Sprite, mappings: readonly Mapping[]): Promise<number> {
  const sessions: ProxySession[] = [];
  try {
    for (const mapping of mappings) sessions.push(await listen(cli, sprite, mapping));
    return await new Promise<number>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
        process.once(signal, () => resolve(signal === 'SIGINT' ? 0 : signalExitCode(signal)));
      }
    });
  } finally {
    for (const session of sessions) session.close();
  }
}

async function listen(cli: Cli, sprite: Sprite, mapping: Mapping): Promise<ProxySession> {
  const { localPort, remoteHost, remotePort } = mapping;
  try {
    const session = await sprite.proxyPort(localPort, remotePort, remoteHost);
    session.on('error', (error) => note(cli, `sprite: port ${localPort}: ${describeFailure(error).message}`));
    const where = remoteHost === 'localhost' ? sprite.name : `${remoteHost} seen from ${sprite.name}`;
    note(cli, `${cli.style.good('✓')} ${session.localAddr()} is port ${remotePort} of ${where}`);
    return session;
  } catch (error) {
    throw await explain(error, mapping);
  }
}

async function explain(error: unknown, { localPort, remotePort }: Mapping): Promise<unknown> {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const other = localPort > 50_000 ? localPort - 10_000 : localPort + 10_000;
  const remedy = `use another, such as \`sprite proxy ${other}:${remotePort}\``;
  if (code === 'EACCES') {
    return new CliError(`port ${localPort} of this machine is for root only; ${remedy}`, { cause: error });
  }
  if (code !== 'EADDRINUSE') return error;
  const holder = await findPortHolder(localPort);
  const by = holder === undefined ? '' : ` by ${holder}`;
  return new CliError(`port ${localPort} of this machine is taken${by}; ${remedy}`, { cause: error });
}
