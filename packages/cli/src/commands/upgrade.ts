import type { Cli, GlobalOptions } from '../cli.ts';
import { note, print, printJson } from '../cli.ts';
import { CliError, UsageError } from '../cli-error.ts';
import { isJsonObject, textAt } from '../config/json.ts';
import { resolveConnection } from '../connection.ts';
import { withProgress } from '../terminal/progress.ts';
import { version } from '../version.ts';
import { allOptions, type CommandHost, createServerCommand } from './command-host.ts';

const timeoutMs = 15_000;

type UpgradeOptions = GlobalOptions & { readonly check?: boolean; readonly json?: boolean };

/** Defines `sprite upgrade`. */
export function defineUpgrade({ program, cli }: CommandHost): void {
  const command = createServerCommand('upgrade', 'compare this command line with the server in use', [
    'sprite upgrade --check',
  ])
    .option('--check', 'say which versions are in use and change nothing')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nThe command line comes with its server’s source: update that, then build it.')
    .action(() => upgrade(cli, allOptions(command)));
  program.addCommand(command);
}

async function upgrade(cli: Cli, options: UpgradeOptions): Promise<void> {
  if (options.check !== true) {
    throw new UsageError(
      'sprite does not replace itself: update the source it was built from and run `npm run build`; ' +
        '`sprite upgrade --check` tells whether there is a need',
    );
  }
  const { environment, cwd } = cli;
  const { apiUrl, token } = await resolveConnection({ environment, cwd, org: options.org });
  const server = await withProgress(cli, `asking ${apiUrl}`, () => fetchServerVersion(apiUrl, token));
  if (options.json === true) {
    printJson(cli, { client: version, server, current: server === version });
    return;
  }
  print(cli, `sprite ${version}, server ${server} at ${apiUrl}`);
  note(cli, server === version ? 'nothing to do' : 'the versions differ: update the older one');
}

async function fetchServerVersion(apiUrl: string, token: string): Promise<string> {
  const response = await fetch(`${apiUrl}/v1/host`, {
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(timeoutMs),
  });
  const answer: unknown = response.ok ? await response.json() : undefined;
  const found = isJsonObject(answer) ? textAt(answer, 'version') : undefined;
  if (found !== undefined) return found;
  throw new CliError(`${apiUrl} does not tell its version (status ${response.status})`);
}
