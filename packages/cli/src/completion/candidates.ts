import type { Command, Option } from 'commander';

/** What can be typed at the cursor: fixed words, and kinds of things a server or the configuration knows. */
export type Candidates = {
  readonly words: readonly string[];
  readonly kind?: 'sprite' | 'org' | 'session' | 'checkpoint' | undefined;
  /** value of `-s` before the cursor */
  readonly sprite?: string | undefined;
  /** value of `-o` before the cursor */
  readonly org?: string | undefined;
};

/** Commands that hand everything after their first argument to somebody else. */
const passThrough = new Set(['exec', 'api']);

/** Reads the words before the cursor, the last of them unfinished, against the program's own definition. */
export function findCandidates(program: Command, words: readonly string[]): Candidates {
  const current = words.at(-1) ?? '';
  const at = walk(program, words.slice(0, -1));
  if (at === undefined) return { words: [] };
  const { command, positionals, pending, sprite, org } = at;
  if (pending !== undefined) return { words: [], kind: kindOf(pending.attributeName()), sprite, org };
  if (current.startsWith('-')) return { words: optionNames(command), sprite, org };
  if (command.commands.length > 0) return { words: commandNames(command) };
  const argument = command.registeredArguments[positionals];
  return { words: argument?.argChoices ?? [], kind: kindOf(argument?.name()), sprite, org };
}

type Position = {
  readonly command: Command;
  readonly positionals: number;
  readonly pending: Option | undefined;
  readonly sprite: string | undefined;
  readonly org: string | undefined;
};

function walk(program: Command, words: readonly string[]): Position | undefined {
  let at: Position | undefined = {
    command: program,
    positionals: 0,
    pending: undefined,
    sprite: undefined,
    org: undefined,
  };
  for (const word of words) at = at && step(at, word);
  return at;
}

function step(at: Position, word: string): Position | undefined {
  const { command, pending } = at;
  if (pending !== undefined) return { ...at, pending: undefined, [pending.attributeName()]: word };
  if (word === '--') return undefined;
  if (word.startsWith('-') && word !== '-') {
    const option = findOption(command, word);
    return { ...at, pending: option?.required === true ? option : undefined };
  }
  const child = findCommand(command, word);
  if (child !== undefined) return { ...at, command: child };
  return passThrough.has(command.name()) ? undefined : { ...at, positionals: at.positionals + 1 };
}

function findCommand(command: Command, word: string): Command | undefined {
  return command.commands.find((child) => child.name() === word || child.aliases().includes(word));
}

function findOption(command: Command, word: string): Option | undefined {
  return command.options.find((option) => option.short === word || option.long === word);
}

function optionNames(command: Command): readonly string[] {
  const own = command.options
    .filter((option) => !option.hidden)
    .map((option) => option.long ?? option.short ?? '');
  return [...own, '--help'];
}

function commandNames(command: Command): readonly string[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .map((child) => child.name());
}

function kindOf(name: string | undefined): Candidates['kind'] {
  switch (name) {
    case 'sprite':
    case 'name':
      return 'sprite';
    case 'org':
      return 'org';
    case 'session':
    case 'id':
      return 'session';
    case 'checkpoint':
    case 'from':
    case 'history':
      return 'checkpoint';
    default:
      return undefined;
  }
}
