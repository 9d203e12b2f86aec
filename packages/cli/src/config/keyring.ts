import { spawn } from 'node:child_process';
import { CliError } from '../cli-error.ts';

const service = 'sprites-cli';
const maxSecretBytes = 64 * 1024;

/** The key under which a login's token is kept in the keyring. */
export function keyringKey({ apiUrl, org }: { readonly apiUrl: string; readonly org: string }): string {
  return `${service}:${apiUrl}#${org}`;
}

/** Whether this machine has a keyring we can talk to: libsecret's `secret-tool`. */
export async function hasKeyring(): Promise<boolean> {
  return (await secretTool(['--version'], '')) !== undefined;
}

/** Puts a token in the keyring. */
export async function storeSecret(key: string, token: string): Promise<void> {
  const done = await secretTool(['store', '--label', key, 'service', service, 'key', key], token);
  if (done?.exitCode === 0) return;
  throw new CliError(
    `the keyring did not take the token: ${done?.stderr.trim() || 'secret-tool is missing'}`,
  );
}

/** Takes a token from the keyring; undefined when it is not there. */
export async function readSecret(key: string): Promise<string | undefined> {
  const found = await secretTool(['lookup', 'service', service, 'key', key], '');
  return found?.exitCode === 0 ? found.stdout.trim() || undefined : undefined;
}

/** Removes a token from the keyring. */
export async function removeSecret(key: string): Promise<void> {
  await secretTool(['clear', 'service', service, 'key', key], '');
}

type Ran = { readonly exitCode: number; readonly stdout: string; readonly stderr: string };

/** Runs secret-tool with `input` on stdin, never on the command line; undefined when it is not installed. */
function secretTool(args: readonly string[], input: string): Promise<Ran | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn('secret-tool', args, { stdio: 'pipe' });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        output[name] = (output[name] + text).slice(0, maxSecretBytes);
      });
    }
    // secret-tool may end without reading its stdin; its exit code is what counts.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ENOENT' ? resolve(undefined) : reject(error),
    );
    child.on('close', (code) => resolve({ exitCode: code ?? 1, ...output }));
  });
}
