import type { ExecOptions, ExecResult, Output, OutputEncoding } from '../options.ts';
import type { SpriteCommand } from './command.ts';
import { OutputBuffer, toResult } from './output.ts';

/** Runs a spawned command to its end and returns its output; a status other than 0 is an ExecError. */
export async function collect<E extends OutputEncoding>(
  command: SpriteCommand,
  options: ExecOptions<E>,
  encoding: E,
): Promise<ExecResult<Output<E>>> {
  const stdout = new OutputBuffer('stdout', options.maxBuffer);
  const stderr = new OutputBuffer('stderr', options.maxBuffer);
  const exit = command.wait();
  command.stdin.end(options.input ?? '');
  try {
    const [code] = await Promise.all([exit, drain(command.stdout, stdout), drain(command.stderr, stderr)]);
    return toResult(stdout, stderr, code, encoding);
  } catch (error) {
    if (error instanceof RangeError) {
      command.kill('SIGKILL');
      command.detach();
    }
    throw error;
  }
}

function drain(stream: SpriteCommand['stdout'], into: OutputBuffer): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.on('data', (chunk: Uint8Array) => {
      try {
        into.push(chunk);
      } catch (error) {
        stream.destroy();
        reject(error);
      }
    });
    stream.once('close', resolve);
  });
}
