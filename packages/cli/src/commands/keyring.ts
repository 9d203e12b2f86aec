import { type Cli, note, print } from '../cli.ts';
import { CliError } from '../cli-error.ts';
import { hasKeyring, keyringKey, readSecret, removeSecret, storeSecret } from '../config/keyring.ts';
import { type Login, listLogins, withLoginOnly } from '../config/logins.ts';
import { readSpritesFile, spritesFilePath, updateSpritesFile } from '../config/sprites-file.ts';
import { type CommandHost, createCommand } from './command-host.ts';

/** Defines `sprite org keyring` with `enable`, `disable` and `status`. */
export function defineKeyring(org: CommandHost['program'], cli: Cli): void {
  const keyring = createCommand(
    'keyring',
    'choose where tokens are kept; a file that only you can read is the default',
    ['sprite org keyring status', 'sprite org keyring enable'],
  );
  keyring.addCommand(
    createCommand('enable', 'move the tokens into the system keyring (needs secret-tool)', []).action(() =>
      enable(cli),
    ),
  );
  keyring.addCommand(
    createCommand('disable', 'move the tokens into ~/.sprites/sprites.json', []).action(() => disable(cli)),
  );
  keyring.addCommand(createCommand('status', 'say where the tokens are', []).action(() => showStatus(cli)));
  org.addCommand(keyring);
}

async function enable(cli: Cli): Promise<void> {
  if (!(await hasKeyring())) {
    throw new CliError(
      'no keyring to use: secret-tool (Debian: libsecret-tools) is not installed; tokens stay in the file',
    );
  }
  const moved = await moveAll(cli, async ({ apiUrl, org, token, keyringKey: stored }) => {
    if (token === undefined || stored !== undefined) return undefined;
    const key = keyringKey({ apiUrl, org });
    await storeSecret(key, token);
    return { apiUrl, org, keyringKey: key };
  });
  note(cli, `${cli.style.good('✓')} ${moved} moved to the system keyring`);
}

async function disable(cli: Cli): Promise<void> {
  const inKeyring: string[] = [];
  const moved = await moveAll(cli, async ({ apiUrl, org, keyringKey: key }) => {
    if (key === undefined) return undefined;
    const token = await readSecret(key);
    if (token === undefined)
      throw new CliError(`the token of ${org} is not in the keyring; run \`sprite login ${apiUrl}\``);
    inKeyring.push(key);
    return { apiUrl, org, token };
  });
  // Only now are they safely in the file.
  for (const key of inKeyring) await removeSecret(key);
  note(cli, `${cli.style.good('✓')} ${moved} moved to ${spritesFilePath(cli.environment.home)}`);
}

async function moveAll(cli: Cli, move: (login: Login) => Promise<Login | undefined>): Promise<string> {
  let count = 0;
  await updateSpritesFile(spritesFilePath(cli.environment.home), async (before) => {
    let file = before;
    for (const login of listLogins(before)) {
      const changed = await move(login);
      if (changed === undefined) continue;
      file = withLoginOnly(file, changed);
      count++;
    }
    return file;
  });
  return count === 1 ? '1 token' : `${count} tokens`;
}

async function showStatus(cli: Cli): Promise<void> {
  const path = spritesFilePath(cli.environment.home);
  const logins = listLogins(await readSpritesFile(path));
  const inKeyring = logins.filter((login) => login.keyringKey !== undefined).length;
  print(cli, `${logins.length - inKeyring} in ${path}, ${inKeyring} in the system keyring`);
  print(
    cli,
    `keyring: ${(await hasKeyring()) ? 'available' : 'not available, secret-tool is not installed'}`,
  );
}
