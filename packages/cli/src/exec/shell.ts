import type { Sprite } from '@sprites/sdk';
import type { Cli } from '../cli.ts';

/** Shells whose kind is kept from the user's machine. */
const known = new Set(['bash', 'zsh', 'fish', 'tcsh', 'ksh']);

/**
 * bash before zsh: a zsh without configuration greets with its questionnaire, and sprites begin without.
 * Prints the shell's path, then whether the sprite's terminfo knows the terminal.
 */
const probe = [
  'term=$1; shift',
  'shell=$(for s in "$@" bash zsh sh; do command -v "$s" && break; done)',
  'printf "%s\\n" "$shell"',
  'for d in /etc/terminfo /lib/terminfo /usr/share/terminfo /usr/lib/terminfo "$HOME/.terminfo"; do',
  '  ls "$d"/*/"$term" >/dev/null 2>&1 && { echo known; break; }',
  'done',
  'exit 0',
].join('\n');

/** The shell to run in a sprite and the `TERM` it understands. */
export type Shell = { readonly path: string; readonly term: string };

/** Picks the user's kind of shell if the sprite has it, else bash, zsh or sh, and a terminal type it knows. */
export async function pickShell({ environment }: Cli, sprite: Sprite): Promise<Shell> {
  const name = environment.shell?.split(/[\\/]/).at(-1) ?? '';
  const term = environment.terminal.TERM ?? 'xterm-256color';
  const wished = known.has(name) ? [name] : [];
  const { stdout } = await sprite.execFile('sh', ['-c', probe, 'sh', term, ...wished], { stdin: false });
  const [path, terminal] = stdout.split('\n');
  return { path: path?.startsWith('/') ? path : 'sh', term: terminal === 'known' ? term : 'xterm-256color' };
}
