import { SpriteError } from '@sprites/contract';
import type { z } from 'zod';
import type { Setting } from './setting.ts';
import { settings } from './settings.ts';

type Values = {
  readonly [K in keyof typeof settings]:
    | z.output<(typeof settings)[K]['schema']>
    | ((typeof settings)[K] extends { readonly fallback: string } ? never : undefined);
};

/** The server's settings, checked. */
export type Config = Values;

/** Where values come from: flags win over the environment, the environment over the defaults. */
export type ConfigSources = {
  readonly flags: Readonly<Record<string, string | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
};

/** Reads all settings. Throws `invalid_request` naming each bad setting, its value and what is allowed. */
export function readConfig({ flags, env }: ConfigSources): Config {
  const errors = unknownVariables(env);
  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries<Setting>(settings)) {
    const flag = flags[key];
    const source = flag === undefined ? setting.env : `--${setting.flag}`;
    const text = flag ?? nonEmpty(env[setting.env]) ?? setting.fallback;
    if (text === undefined) continue;
    const result = setting.schema.safeParse(text);
    if (result.success) values[key] = result.data;
    else
      errors.push(
        `${source}=${setting.secret === true ? '…' : text} is not allowed: it must be ${setting.range}`,
      );
  }
  if (errors.length > 0) throw new SpriteError('invalid_request', errors.join('\n'), { details: { errors } });
  // every setting was parsed by its own schema above, and those without a fallback may be missing
  return values as Config;
}

/** Settings that were given, not defaults, as variables of the environment that say the same. */
export function listGiven({ flags, env }: ConfigSources): readonly {
  readonly env: string;
  readonly value: string;
  readonly secret: boolean;
}[] {
  return Object.entries<Setting>(settings).flatMap(([key, setting]) => {
    const value = flags[key] ?? nonEmpty(env[setting.env]);
    return value === undefined ? [] : [{ env: setting.env, value, secret: setting.secret === true }];
  });
}

/** Names of the variables whose values must never be printed. */
export const secretVariables: ReadonlySet<string> = new Set(
  Object.values<Setting>(settings).flatMap((setting) => (setting.secret === true ? [setting.env] : [])),
);

/** Variables of ours that other programs of the project read. */
const foreignVariables = /^SPRITES_(API_URL$|TEST_|E2E_)/;

function unknownVariables(env: ConfigSources['env']): string[] {
  const known = new Set(Object.values<Setting>(settings).map((setting) => setting.env));
  return Object.keys(env)
    .filter((name) => name.startsWith('SPRITES_') && !foreignVariables.test(name))
    .filter((name) => !known.has(name))
    .map((name) => `${name} is not a setting of this server; see sprites-server --help`);
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
