import { spawn } from 'node:child_process';

/** Runs a program without input or output to its end; throws when it fails. */
export async function run(command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { stdio: 'ignore' });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} failed with exit code ${code}`);
}

/** Whether the program is there and this call of it succeeds. */
export async function works(command: string, args: readonly string[]): Promise<boolean> {
  return await run(command, args).then(
    () => true,
    () => false,
  );
}
