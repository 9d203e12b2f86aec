import { homedir } from 'node:os';

/** The environment variables `sprite` reads, read once at start. Empty ones count as absent. */
export type Environment = {
  /** `SPRITE_TOKEN`: token to use instead of a stored one */
  readonly token?: string | undefined;
  /** `SPRITES_API_URL`: server to talk to */
  readonly apiUrl?: string | undefined;
  /** `SPRITE_URL`: one sprite's API root, `<api url>/v1/sprites/<name>` */
  readonly spriteUrl?: string | undefined;
  /** `SPRITE_ORG`: organization to use */
  readonly org?: string | undefined;
  /** home directory that holds `.sprites/` */
  readonly home: string;
  /** `SHELL`: the shell `console` prefers */
  readonly shell?: string | undefined;
  /** `TERM`, `COLORTERM`, `LANG`, `LC_ALL`: passed to commands with a terminal */
  readonly terminal: Readonly<Record<string, string>>;
  /** `SPRITE_BROWSER`: `off` opens no addresses that programs in a sprite ask for */
  readonly opensBrowser: boolean;
  /** `NO_COLOR`, or a terminal that cannot: no colours */
  readonly noColor: boolean;
};

/** Reads the environment of this process, or of the given variables. */
export function readEnvironment(variables: NodeJS.ProcessEnv = process.env): Environment {
  const get = (name: string): string | undefined => variables[name]?.trim() || undefined;
  return {
    token: get('SPRITE_TOKEN'),
    apiUrl: get('SPRITES_API_URL'),
    spriteUrl: get('SPRITE_URL'),
    org: get('SPRITE_ORG'),
    home: get('HOME') ?? homedir(),
    shell: get('SHELL'),
    terminal: Object.fromEntries(
      ['TERM', 'COLORTERM', 'LANG', 'LC_ALL'].flatMap((name) => {
        const value = get(name);
        return value === undefined ? [] : [[name, value]];
      }),
    ),
    opensBrowser: !['off', 'no', 'false', '0'].includes(get('SPRITE_BROWSER')?.toLowerCase() ?? 'on'),
    noColor: get('NO_COLOR') !== undefined || get('TERM') === 'dumb',
  };
}
