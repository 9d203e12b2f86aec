import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import type { NetworkPolicy, NetworkRule } from '@sprites/sdk';
import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { UsageError } from '../cli-error.ts';
import { collect } from './command-host.ts';

/** Rules as flags. */
export type RuleOptions = {
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
  readonly include?: readonly string[];
  readonly observe?: boolean;
  readonly clear?: boolean;
};

export function addRuleOptions(command: Command): Command {
  return command
    .option('--allow <name>', 'a name, *. and a name, or *; repeatable', collect)
    .option('--deny <name>', 'the same, denied; the more specific rule decides', collect)
    .option('--include <list>', 'a preset list: defaults, what development tools need', collect)
    .option('--observe', 'let everything through and log what the rules would say')
    .option('--clear', 'no rules: nothing is restricted');
}

/** The policy that a file, the input or flags make. Throws a UsageError when they do not make one. */
export async function readPolicy(
  cli: Cli,
  options: RuleOptions,
  file: string | undefined,
): Promise<NetworkPolicy> {
  const rules = rulesOf(options);
  if ([file !== undefined, rules.length > 0, options.clear === true].filter(Boolean).length > 1) {
    throw new UsageError('give the rules by a file, by flags, or --clear; not by several');
  }
  if (file === undefined && rules.length === 0 && !options.clear && !options.observe) {
    throw new UsageError('no rules; give a file, --allow, --deny, --include, --observe or --clear');
  }
  const policy = file === undefined ? { rules } : parsePolicy(file, await readText(cli, file));
  return options.observe === true ? { ...policy, mode: 'observe' } : policy;
}

function rulesOf({ allow = [], deny = [], include = [] }: RuleOptions): NetworkRule[] {
  const unknown = include.find((name) => name !== 'defaults');
  if (unknown !== undefined) throw new UsageError(`--include ${unknown} is not there; there is: defaults`);
  return [
    ...include.map(() => ({ include: 'defaults' as const })),
    ...allow.map((domain) => ({ domain, action: 'allow' as const })),
    ...deny.map((domain) => ({ domain, action: 'deny' as const })),
  ];
}

async function readText(cli: Cli, file: string): Promise<string> {
  if (file === '-') return text(cli.stdin);
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${error instanceof Error ? error.message : error}`);
  }
}

/** Only its shape is looked at: what a rule may say is the server's to decide, who names the bad one. */
function parsePolicy(file: string, json: string): NetworkPolicy {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    // the parser's words are about a position, which says little of a file
    throw new UsageError(`${file} is not JSON`);
  }
  const policy: unknown = Array.isArray(value) ? { rules: value } : value;
  if (typeof policy === 'object' && policy !== null && 'rules' in policy && Array.isArray(policy.rules)) {
    // the server checks every rule
    return policy as NetworkPolicy;
  }
  throw new UsageError(
    `${file} has no rules; it must look like {"rules": [{"domain": …, "action": "allow"}]}`,
  );
}
