import type { PortEvent } from '@sprites/sdk';
import { type Cli, type GlobalOptions, note, print, printJson } from '../cli.ts';
import { openSprite } from '../target.ts';
import { withProgress } from '../terminal/progress.ts';
import { formatTable } from '../terminal/table.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';

type PortsOptions = GlobalOptions & { readonly watch?: boolean; readonly json?: boolean };

/** Defines `sprite ports`. */
export function definePorts({ program, cli }: CommandHost): void {
  const command = createServerCommand('ports', 'list the TCP ports that programs in a sprite listen on', [
    'sprite ports',
    'sprite ports -s my-sprite --watch',
  ])
    .option('-w, --watch', 'go on with what opens and closes')
    .option('--json', 'print JSON; with --watch one line per change')
    .action(() => ports(cli, allOptions(command)));
  program.addCommand(command);
}

async function ports(cli: Cli, options: PortsOptions): Promise<void> {
  const sprite = await openSprite(cli, options);
  const events = await withProgress(cli, `waking ${sprite.name}`, () => sprite.watchPorts());
  for await (const event of events) {
    if (event.type === 'port_list') show(cli, event.ports, options);
    else if (options.json === true) print(cli, JSON.stringify(event));
    else print(cli, `${event.type === 'port_opened' ? '+' : '-'} ${event.address} ${event.port}`);
    if (options.watch !== true) return;
  }
}

function show(cli: Cli, list: readonly PortEvent[], { json, watch }: PortsOptions): void {
  if (json === true) {
    if (watch === true) for (const event of list) print(cli, JSON.stringify(event));
    else printJson(cli, list);
    return;
  }
  if (list.length === 0) note(cli, 'no program listens on a port');
  else print(cli, render(cli, list));
}

function render({ style }: Cli, list: readonly PortEvent[]): string {
  const rows = [...list]
    .sort((a, b) => a.port - b.port)
    .map(({ port, address, pid }) => [String(port), address, pid === undefined ? '' : String(pid)]);
  return formatTable(['PORT', 'ADDRESS', 'PID'].map(style.dim), rows);
}
