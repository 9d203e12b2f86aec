import { Argument, type Command } from 'commander';
import type { Cli } from '../cli.ts';
import { type Candidates, findCandidates } from '../completion/candidates.ts';
import { type CompletionShell, completionScripts, shells } from '../completion/scripts.ts';
import { listLogins } from '../config/logins.ts';
import { readSpritesFile, spritesFilePath } from '../config/sprites-file.ts';
import { namedSprite, openServer } from '../target.ts';
import { printable } from '../terminal/style.ts';
import { type CommandHost, createCommand } from './command-host.ts';

/** A Tab must not hang on a slow server. */
const timeoutMs = 1500;

/** Defines `sprite completion` and the hidden command its scripts call. */
export function defineCompletion({ program, cli }: CommandHost): void {
  const command = createCommand('completion', 'print a script that completes sprite in your shell', [
    'source <(sprite completion bash)',
    'sprite completion fish > ~/.config/fish/completions/sprite.fish',
  ])
    .addArgument(new Argument('<shell>', 'your shell').choices(shells))
    .action((shell: CompletionShell) => void cli.stdout.write(completionScripts[shell]));
  program.addCommand(command);
  program.addCommand(
    createCommand('__complete', 'print what can be typed next', [])
      .argument('[words...]')
      .action((words: string[]) => complete(cli, program, words)),
    { hidden: true },
  );
}

async function complete(cli: Cli, program: Command, words: readonly string[]): Promise<void> {
  const found = findCandidates(program, words);
  // Without a login or a server there is nothing to propose, and no place to say why.
  const names = await findNames(cli, found).catch((): readonly string[] => []);
  const prefix = words.at(-1) ?? '';
  const matching = [...found.words, ...names].filter((word) => word.startsWith(prefix));
  cli.stdout.write(matching.map((word) => `${printable(word)}\n`).join(''));
}

async function findNames(cli: Cli, { kind, sprite, org }: Candidates): Promise<readonly string[]> {
  if (kind === undefined) return [];
  if (kind === 'org') {
    return listLogins(await readSpritesFile(spritesFilePath(cli.environment.home))).map((login) => login.org);
  }
  const options = { ...(org === undefined ? {} : { org }), ...(sprite === undefined ? {} : { sprite }) };
  const server = await openServer(cli, options);
  const signal = AbortSignal.timeout(timeoutMs);
  if (kind === 'sprite') {
    return (await server.client.listAllSprites(undefined, { signal })).map((one) => one.name);
  }
  const name = namedSprite(cli, server, options);
  if (name === undefined) return [];
  if (kind === 'checkpoint') {
    const all = await server.client.sprite(name).listCheckpoints({ includeAuto: true, signal });
    return all.map((checkpoint) => checkpoint.id).filter((id) => id !== 'Current');
  }
  return (await server.client.sprite(name).listSessions({ signal })).map((session) => session.id);
}
