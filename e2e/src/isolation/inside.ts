import type { Sprite } from '@sprites/sdk';

/** Runs a line of shell as root of the sprite; resolves to exit code and everything it said. */
export async function asRoot(
  sprite: Sprite,
  line: string,
): Promise<{ readonly exitCode: number; readonly said: string }> {
  const outcome = await sprite
    .execFile('sudo', ['sh', '-c', line], { signal: AbortSignal.timeout(20_000) })
    .catch((error: unknown) => Object(error));
  if (typeof outcome.exitCode !== 'number') throw outcome;
  return { exitCode: outcome.exitCode, said: `${outcome.stdout}${outcome.stderr}` };
}

/** Runs a Python program as root of the sprite and returns what it printed. */
export async function pythonAsRoot(
  sprite: Sprite,
  program: string,
  ...args: readonly string[]
): Promise<string> {
  const { stdout } = await sprite.execFile('sudo', ['python3', '-c', program, ...args], {
    signal: AbortSignal.timeout(30_000),
  });
  return stdout.trim();
}
