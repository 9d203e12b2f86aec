import { SpriteError } from '@sprites/contract';

/** A variable with its value; secrets are not shown to people. */
export type Variable = { readonly env: string; readonly value: string; readonly secret: boolean };

const heading = `# Settings of this server; sprites-server --help explains each. Restart the service after a change.
`;

/**
 * The file with the given variables set: lines of others, of people's comments too, stay as they are, so that installing
 * again changes what is named and nothing else.
 */
export function mergeEnvironmentFile(present: string | undefined, variables: readonly Variable[]): string {
  const names = new Set(variables.map(({ env }) => env));
  const kept = (present ?? heading).split('\n').filter((line) => !names.has(nameOf(line)));
  while (kept.at(-1) === '') kept.pop();
  return `${[...kept, ...variables.map(toLine)].join('\n')}\n`;
}

/** Value of a variable that a line of the file sets; undefined when none does. */
export function readVariable(text: string, env: string): string | undefined {
  const line = text.split('\n').findLast((each) => nameOf(each) === env);
  const value = line?.slice(line.indexOf('=') + 1).trim();
  return value?.replace(/^"(.*)"$/, (_, inner: string) => inner.replace(/\\(["\\$`])/g, '$1'));
}

/** The file as it may be shown. */
export function maskSecrets(text: string, secrets: ReadonlySet<string>): string {
  return text.replace(/^.*$/gm, (line) => (secrets.has(nameOf(line)) ? `${nameOf(line)}=…` : line));
}

function nameOf(line: string): string {
  return /^\s*(\w+)\s*=/.exec(line)?.[1] ?? '';
}

/** systemd reads the value between double quotes, with a backslash before what a shell would take for more than itself. */
function toLine({ env, value }: Variable): string {
  if (/[\n\r\0]/.test(value)) throw new SpriteError('invalid_request', `${env} has a line break`);
  if (/^[\w/.:@%+,-]*$/.test(value)) return `${env}=${value}`;
  return `${env}="${value.replace(/["\\$`]/g, '\\$&')}"`;
}
