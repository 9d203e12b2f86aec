import type {
  Checkpoint,
  CheckpointStream,
  RestoreStream,
  Sprite,
  StreamMessage,
  VerifyStream,
} from '@sprites/sdk';
import { type Cli, isInteractive, note } from '../cli.ts';
import { CliError, UsageError } from '../cli-error.ts';
import { formatAge } from '../terminal/age.ts';
import { askChoice } from '../terminal/ask.ts';
import { withProgress } from '../terminal/progress.ts';
import { printable } from '../terminal/style.ts';

/** Shows what the server says of an operation, and waits for its end; a failure is thrown. */
export function follow(
  cli: Cli,
  stream: CheckpointStream | RestoreStream | VerifyStream,
): Promise<StreamMessage> {
  return stream.wait(({ data }) => {
    if (data !== undefined) note(cli, printable(data));
  });
}

/** Lets the user choose a checkpoint, automatic ones too. */
export async function chooseCheckpoint(cli: Cli, sprite: Sprite, question: string): Promise<string> {
  if (!isInteractive(cli)) {
    throw new UsageError('no checkpoint named; see `sprite checkpoint list --include-auto`');
  }
  const all = await withProgress(cli, 'listing checkpoints', () =>
    sprite.listCheckpoints({ includeAuto: true }),
  );
  // those the user made come first, also among those that match what is typed
  const saved = all
    .filter((checkpoint) => !isCurrent(checkpoint))
    .sort((a, b) => Number(a.isAuto) - Number(b.isAuto));
  if (saved.length === 0) {
    throw new CliError(`${sprite.name} has no checkpoints; make one with \`sprite checkpoint create\``);
  }
  const now = Date.now();
  return askChoice(
    cli,
    question,
    saved.map(({ id, createTime, comment = '' }) => ({
      value: id,
      label: `${id}  ${printable(comment)}`.trimEnd(),
      hint: formatAge(createTime, now),
    })),
  );
}

/** Refuses an id that cannot be one, so that it is not mistaken for another path of the server. */
export function checkId(id: string | undefined): string | undefined {
  if (id === undefined || /^[A-Za-z0-9][\w-]{0,60}$/.test(id)) return id;
  throw new UsageError(`${JSON.stringify(id)} is not a checkpoint id; see \`sprite checkpoint list\``);
}

/** Whether this is the live disk. */
export function isCurrent({ id }: Checkpoint): boolean {
  return id === 'Current';
}
