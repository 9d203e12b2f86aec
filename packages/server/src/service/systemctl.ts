import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { promisify } from 'node:util';
import { SpriteError } from '@sprites/contract';

/** True when the host was booted with systemd; the directory is there exactly then. */
export async function isSystemdRunning(): Promise<boolean> {
  return access('/run/systemd/system').then(
    () => true,
    () => false,
  );
}

/** Runs systemctl and answers what it printed. Throws what it said unless it may fail. */
export async function systemctl(
  args: readonly string[],
  { mayFail = false }: { readonly mayFail?: boolean } = {},
): Promise<string> {
  try {
    return (await promisify(execFile)('systemctl', [...args])).stdout.trim();
  } catch (cause) {
    const { stdout, stderr } = Object(cause);
    if (mayFail) return String(stdout ?? '').trim();
    const said = String(stderr ?? '').trim() || String(cause);
    throw new SpriteError('unavailable', `systemctl ${args.join(' ')} failed: ${said}`, { cause });
  }
}
