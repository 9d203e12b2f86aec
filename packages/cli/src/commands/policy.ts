import type { EgressEntry, NetworkPolicy, NetworkRule } from '@sprites/sdk';
import { type Cli, type GlobalOptions, note, print, printJson } from '../cli.ts';
import { openSprite } from '../target.ts';
import { formatAge } from '../terminal/age.ts';
import { printable } from '../terminal/style.ts';
import { formatTable } from '../terminal/table.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';
import { addRuleOptions, type RuleOptions, readPolicy } from './policy-rules.ts';

type Command = ReturnType<typeof createServerCommand>;
type JsonOptions = GlobalOptions & { readonly json?: boolean };
type SetOptions = GlobalOptions & RuleOptions;
type SuggestOptions = JsonOptions & { readonly defaults?: boolean; readonly apply?: boolean };

/** Defines `sprite policy` with `get`, `set`, `suggest` and `log`. */
export function definePolicy({ program, cli }: CommandHost): void {
  const command = createServerCommand('policy', 'say which names a sprite may reach; never wakes it', [
    'sprite policy get',
    "sprite policy set --include defaults --allow api.example.com --allow '*.example.org'",
    'sprite policy set --observe && sprite exec -- make && sprite policy suggest --apply',
    'sprite policy log',
  ]);
  command.addCommand(createGetCommand(cli), { isDefault: true });
  command.addCommand(createSetCommand(cli));
  command.addCommand(createSuggestCommand(cli));
  command.addCommand(createLogCommand(cli));
  program.addCommand(command);
}

function createGetCommand(cli: Cli): Command {
  const command = createServerCommand('get', 'show the rules', ['sprite policy get --json > policy.json'])
    .option('--json', 'print JSON, as `sprite policy set` reads it')
    .action(() => getPolicy(cli, allOptions(command)));
  return command;
}

async function getPolicy(cli: Cli, options: JsonOptions): Promise<void> {
  const sprite = await openSprite(cli, options);
  const policy = await sprite.getNetworkPolicy();
  if (options.json === true) printJson(cli, policy);
  else showPolicy(cli, sprite.name, policy);
}

function showPolicy(cli: Cli, name: string, policy: NetworkPolicy): void {
  for (const rule of policy.rules) print(cli, renderRule(cli, rule));
  if (policy.mode === 'observe') note(cli, `${name} is observed: everything passes and is logged`);
  else if (policy.rules.length === 0) note(cli, `${name} has no rules`);
}

function renderRule({ style }: Cli, { domain, action, include }: NetworkRule): string {
  if (include !== undefined) return `${style.good('include')}  ${include}`;
  const word = action === 'deny' ? style.bad('deny   ') : style.good('allow  ');
  return `${word}  ${printable(domain ?? '')}`;
}

function createSetCommand(cli: Cli): Command {
  const command = createServerCommand(
    'set',
    'replace the rules; they hold at once, also for open connections',
    [
      'sprite policy set policy.json',
      'sprite policy get --json -s one | sprite policy set -s two -',
      'sprite policy set --allow github.com --deny gist.github.com',
      'sprite policy set --clear',
    ],
  )
    .argument('[file]', 'JSON with the rules; - reads them from the input')
    .action((file: string | undefined) => setPolicy(cli, allOptions(command), file));
  return addRuleOptions(command);
}

async function setPolicy(cli: Cli, options: SetOptions, file: string | undefined): Promise<void> {
  const policy = await readPolicy(cli, options, file);
  const sprite = await openSprite(cli, options);
  await sprite.updateNetworkPolicy(policy);
  const count = policy.rules.length;
  note(cli, `${cli.style.good('✓')} ${sprite.name} has ${count} ${count === 1 ? 'rule' : 'rules'}`);
}

function createSuggestCommand(cli: Cli): Command {
  const command = createServerCommand('suggest', 'turn what a sprite was seen to reach into rules', [
    'sprite policy suggest',
    'sprite policy suggest --defaults --json > policy.json',
    'sprite policy suggest --apply',
  ])
    .option('--defaults', 'include the preset list in place of the names it covers')
    .option('--apply', 'set them, which ends observing')
    .option('--json', 'print JSON, as `sprite policy set` reads it')
    .action(() => suggestPolicy(cli, allOptions(command)));
  return command;
}

async function suggestPolicy(cli: Cli, options: SuggestOptions): Promise<void> {
  const sprite = await openSprite(cli, options);
  const policy = await sprite.suggestNetworkPolicy({ defaults: options.defaults === true });
  if (options.json === true) printJson(cli, policy);
  else for (const rule of policy.rules) print(cli, renderRule(cli, rule));
  if (policy.rules.length === 0) {
    note(cli, `${sprite.name} was not seen to reach anything; \`sprite policy set --observe\` looks on`);
  } else if (options.apply === true) {
    await sprite.updateNetworkPolicy(policy);
    note(cli, `${cli.style.good('✓')} ${sprite.name} may reach these and nothing else`);
  }
}

function createLogCommand(cli: Cli): Command {
  const command = createServerCommand('log', 'show what a sprite with rules asked for, newest first', [
    'sprite policy log',
    'sprite policy log --json',
  ])
    .option('--json', 'print JSON')
    .action(() => showEgress(cli, allOptions(command)));
  return command;
}

/** Prints what a sprite asked for, newest first. */
export async function showEgress(cli: Cli, options: JsonOptions, argument?: string): Promise<void> {
  const sprite = await openSprite(cli, options, argument);
  const { entries, dns } = await sprite.egressLog();
  if (options.json === true) {
    printJson(cli, entries);
    return;
  }
  if (entries.length > 0) print(cli, renderLog(cli, entries, Date.now()));
  else note(cli, `nothing is logged of ${sprite.name}; only what sprites with rules ask for is`);
  const { queries, limited, queryBytes, answerBytes } = dns;
  note(
    cli,
    `DNS: ${queries} questions, ${limited} too many; ${queryBytes} bytes asked, ${answerBytes} answered`,
  );
}

function renderLog({ style }: Cli, entries: readonly EgressEntry[], nowMs: number): string {
  const heading = ['LAST', 'VERDICT', 'TIMES', 'SENT', 'RECEIVED', 'NAME', 'ADDRESSES'].map(style.dim);
  const rows = entries.map((entry) => [
    formatAge(entry.time, nowMs),
    entry.verdict === 'allow' ? style.good('allow') : style.bad(entry.verdict),
    String(entry.count),
    entry.bytesSent === undefined ? '-' : String(entry.bytesSent),
    entry.bytesReceived === undefined ? '-' : String(entry.bytesReceived),
    printable(entry.name ?? '-'),
    printable(entry.addresses.join(' ') || '-'),
  ]);
  return formatTable(heading, rows);
}
