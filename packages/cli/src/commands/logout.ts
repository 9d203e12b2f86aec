import { type Cli, note } from '../cli.ts';
import { withoutMember } from '../config/json.ts';
import { removeSecret } from '../config/keyring.ts';
import { listLogins } from '../config/logins.ts';
import { readSpritesFile, spritesFilePath, updateSpritesFile } from '../config/sprites-file.ts';
import { type CommandHost, createCommand } from './command-host.ts';

/** Defines `sprite logout`. */
export function defineLogout({ program, cli }: CommandHost): void {
  program.addCommand(
    createCommand('logout', 'forget all tokens', ['sprite logout']).action(() => logout(cli)),
  );
}

/** Removes every token, here and in the keyring, and the selection. */
export async function logout(cli: Cli): Promise<void> {
  const path = spritesFilePath(cli.environment.home);
  const logins = listLogins(await readSpritesFile(path));
  if (logins.length === 0) {
    note(cli, 'not logged in');
    return;
  }
  for (const { keyringKey } of logins) if (keyringKey !== undefined) await removeSecret(keyringKey);
  await updateSpritesFile(path, (file) => withoutMember(withoutMember(file, 'urls'), 'current_selection'));
  const many = logins.length === 1 ? 'the token' : `${logins.length} tokens`;
  note(cli, `${cli.style.good('✓')} removed ${many}; they stay valid until the server revokes them`);
}
