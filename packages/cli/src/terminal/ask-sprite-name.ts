import { type Cli, isInteractive } from '../cli.ts';
import { UsageError } from '../cli-error.ts';
import { askText } from './ask.ts';

/** Asks for the name of a sprite to be made; without anybody to ask, says how to give it. */
export async function askSpriteName(cli: Cli, usage: string): Promise<string> {
  if (!isInteractive(cli)) throw new UsageError(`no name given; use \`${usage}\``);
  const { maxSpriteNameLength, spriteNamePattern } = await import('@sprites/contract');
  return askText(cli, 'Name of the new sprite?', {
    check: (value) =>
      spriteNamePattern.test(value) && value.length <= maxSpriteNameLength
        ? undefined
        : 'lower-case letters, digits and inner hyphens, please',
  });
}
