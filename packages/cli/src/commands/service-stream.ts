import type { ServiceLogEvent, ServiceLogStream } from '@sprites/sdk';
import { type Cli, note } from '../cli.ts';
import { printable } from '../terminal/style.ts';

/** Shows a service's stream to its end; 1 when it could not be started or has ended by itself. */
export async function showStream(cli: Cli, stream: ServiceLogStream): Promise<number> {
  let exitCode = 0;
  for await (const event of stream) {
    if (!(await showOutput(cli, event))) break;
    const line = describe(cli, event);
    if (line !== undefined) note(cli, line);
    if (event.type === 'exit' || event.type === 'error') exitCode = 1;
    if (event.type === 'started') exitCode = 0;
  }
  return exitCode;
}

/**
 * Writes output to the stream it was written to, at the pace of its reader; it is the sprite's, byte for byte, as with
 * `sprite exec`. False when the reader has gone.
 */
export async function showOutput(cli: Cli, { type, data }: ServiceLogEvent): Promise<boolean> {
  if (data === undefined || (type !== 'stdout' && type !== 'stderr')) return true;
  return await new Promise((resolve) => {
    cli[type].write(data, (error) => resolve(!error));
  });
}

function describe({ style }: Cli, { type, data, exitCode }: ServiceLogEvent): string | undefined {
  switch (type) {
    case 'started':
      return style.good('✓ started');
    case 'stopping':
      return style.dim('stopping');
    case 'stopped':
      return style.good('✓ stopped');
    case 'exit':
      return style.bad(`✗ ended by itself with status ${exitCode ?? '?'}; it will be started again`);
    case 'error':
      return style.bad(`✗ ${printable(data ?? 'failed')}`);
    case 'stdout':
    case 'stderr':
    case 'complete':
      return undefined;
    default:
      return type satisfies never;
  }
}
