import { type NetworkRule, SpriteError } from '@sprites/contract';
import { defaultDomains } from './default-domains.ts';

type Action = 'allow' | 'deny';

/** Says what the rules make of a name, given in lower-case ASCII without a final dot. What no rule names is denied. */
export type NameJudge = (name: string) => Action;

const maxNameLength = 253;
const label = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?';
const namePattern = new RegExp(`^${label}(?:\\.${label})*$`);

/**
 * Makes rules ready for questions: one look-up per label of the name, however many rules there are. The most specific
 * rule decides (a name before `*.name`, a longer `*.name` before a shorter one, `*` last); of two about the same name the
 * denying one, and what is written out before what an include brings. Throws `invalid_policy` naming the rule.
 */
export function compileRules(rules: readonly NetworkRule[]): NameJudge {
  const actions = new Map<string, Action>();
  for (const [index, { domain, action }] of rules.entries()) {
    if (domain === undefined || action === undefined) continue;
    const pattern = normalizePattern(domain);
    if (pattern === undefined) throw invalid(index, domain);
    if (actions.get(pattern) !== 'deny') actions.set(pattern, action);
  }
  if (rules.some((rule) => rule.include === 'defaults')) {
    for (const pattern of defaultDomains) if (!actions.has(pattern)) actions.set(pattern, 'allow');
  }
  return (name) => judge(actions, name);
}

/** A name as it is compared: lower case, punycode, no final dot. Undefined when it cannot be the name of a host. */
export function normalizeName(text: string): string | undefined {
  const plain = text.replace(/\.$/, '');
  const ascii = /^[\x21-\x7e]+$/.test(plain) ? plain.toLowerCase() : toPunycode(plain);
  if (ascii === undefined || ascii.length > maxNameLength || !namePattern.test(ascii)) return undefined;
  // a last label of digits makes it an address, which no question is ever about
  return /(^|\.)[0-9]+$/.test(ascii) ? undefined : ascii;
}

function judge(actions: ReadonlyMap<string, Action>, name: string): Action {
  const exact = actions.get(name);
  if (exact !== undefined) return exact;
  for (let dot = name.indexOf('.'); dot !== -1; dot = name.indexOf('.', dot + 1)) {
    const action = actions.get(`*${name.slice(dot)}`);
    if (action !== undefined) return action;
  }
  return actions.get('*') ?? 'deny';
}

function normalizePattern(domain: string): string | undefined {
  if (domain === '*') return '*';
  if (!domain.startsWith('*.')) return normalizeName(domain);
  const name = normalizeName(domain.slice(2));
  return name === undefined ? undefined : `*.${name}`;
}

function toPunycode(text: string): string | undefined {
  // what a URL would read as something else than a host
  if (/[\x00-\x20\x7f-\x9f/\\?#@:[\]%*]/.test(text)) return undefined;
  return URL.parse(`http://${text}/`)?.hostname;
}

function invalid(index: number, domain: string): SpriteError {
  const shown = JSON.stringify(domain.slice(0, 80));
  return new SpriteError(
    'invalid_policy',
    `rules.${index}: the domain ${shown} is none; write a name, *. and a name, or *; addresses cannot be allowed`,
  );
}
