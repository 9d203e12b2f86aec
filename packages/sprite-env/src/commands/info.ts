import { print, printable, printJson } from '../terminal.ts';
import { type CommandHost, createCommand } from './command.ts';

const shown = [
  'name',
  'status',
  'url',
  'image',
  'isolation',
  'version',
  'incarnation',
  'created_at',
] as const;

/** Defines `sprite-env info`. */
export function defineInfo({ program, api }: CommandHost): void {
  const info = createCommand('info', 'show the name, state and address of this sprite', [
    'sprite-env info',
    'sprite-env info --json',
  ])
    .option('--json', 'print everything as JSON')
    .action(async ({ json }: { readonly json?: boolean }) => {
      const sprite = Object(await api.askJson({ path: '/v1/sprite' }));
      if (json === true) printJson(sprite);
      else print(describe(sprite));
    });
  program.addCommand(info);
}

function describe(sprite: Readonly<Record<string, unknown>>): string {
  const { cpus, ram_mb: ramMb, storage_gb: storageGb } = Object(sprite.config);
  const fields = shown.flatMap((key) => (sprite[key] === undefined ? [] : [[key, sprite[key]]]));
  return [...fields, ['size', `${cpus} CPUs, ${ramMb} MB of memory, ${storageGb} GB of disk`]]
    .map(([key, value]) => `${String(key).padEnd(12)}${printable(value)}`)
    .join('\n');
}
