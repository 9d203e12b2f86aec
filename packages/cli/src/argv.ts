/** Long options that were once written with one dash; those marked true take a value. */
const oldSpellings: Readonly<Record<string, boolean>> = {
  org: true,
  sprite: true,
  dir: true,
  env: true,
  tty: false,
  id: true,
  detachable: false,
  file: true,
  'http-post': false,
  'no-port-forward': false,
  force: false,
  'skip-console': false,
  unset: false,
  prefix: true,
  token: true,
  label: true,
  check: false,
  comment: true,
  history: true,
  'include-auto': false,
  from: true,
  watch: false,
  help: false,
  version: false,
};

/** Commands after whose first argument everything belongs to somebody else. */
const passThrough = new Set(['exec', 'x', 'api']);

const takesValue = new Set([
  '-o',
  '-s',
  ...Object.entries(oldSpellings).flatMap(([name, value]) => (value ? [`--${name}`] : [])),
]);

/**
 * Rewrites the older single-dash spellings (`-tty`, `-dir /app`, `-env=A=1`, `-o=acme`) to the present ones.
 * It stops at `--`, and for `exec` and `api` at their first argument, so that no option of the command that
 * runs in the sprite is touched.
 */
export function translateArgv(argv: readonly string[]): readonly string[] {
  const out: string[] = [];
  let command: string | undefined;
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? '';
    const isArgument = word === '-' || !word.startsWith('-');
    if (word === '--' || (isArgument && command !== undefined && passThrough.has(command))) {
      return [...out, ...argv.slice(i)];
    }
    if (isArgument) command ??= word;
    const words = isArgument ? [word] : translateOption(word);
    out.push(...words);
    const option = words[0] ?? '';
    const value = argv[i + 1];
    if (words.length === 1 && takesValue.has(option) && value !== undefined) {
      out.push(value);
      i++;
    }
  }
  return out;
}

function translateOption(word: string): readonly string[] {
  const match = /^-([a-z][a-z-]*)(?:=(.*))?$/s.exec(word);
  const name = match?.[1];
  if (name === undefined) return [word];
  const value = match?.[2];
  if (name.length === 1) return value === undefined ? [word] : [`-${name}`, value];
  if (!Object.hasOwn(oldSpellings, name)) return [word];
  return [value === undefined ? `--${name}` : `--${name}=${value}`];
}
