import { SpriteError } from '@sprites/contract';
import { runTool } from '@sprites/linux';
import { guestSocketPath } from './guest-socket.ts';

const flagsTimeoutMs = 10_000;
/** The remedy for a runsc that will not do. */
export const newerGvisor = 'install a recent one, see https://gvisor.dev/docs/user_guide/install';

/** Flags every runsc has that we support. */
const commonFlags = [
  // No `--platform`: each version has the one it does best without a virtual machine of its own.
  '--network=sandbox',
  // As in other containers, root may ping.
  '--net-raw',
  // The agent makes its socket inside, and other programs must reach theirs: in both cases the file system does it.
  '--host-uds=all',
  // Written files are the host's at once. Else a stop would lose what gVisor still holds, and a checkpoint miss it.
  '--file-access=shared',
];

/** Flags of some versions only. */
const newerFlags = {
  // Without it every program runs with no_new_privs, and there is no sudo.
  'allow-suid': '--allow-suid',
  // By default newer versions keep changes in a file of their own instead of on the disk.
  overlay2: '--overlay2=none',
} as const;

/** Reads which flags the installed runsc knows and answers those to run it with. */
export async function readGvisorFlags(): Promise<readonly string[]> {
  const known = new Set<string>();
  const onLine = (line: string): void => {
    const name = line.match(/^ {2}-([\w-]+)/)?.[1];
    if (name !== undefined) known.add(name);
  };
  await runTool(['runsc', 'flags'], { signal: AbortSignal.timeout(flagsTimeoutMs), onLine });
  const newer = Object.entries(newerFlags).filter(([name]) => known.has(name));
  return [...commonFlags, ...newer.map(([, flag]) => flag)];
}

/**
 * Program of the trial container: looks for what sprites need and gVisor has not always had, then says what is missing
 * to the first who connects.
 */
const probeSource = `
const { dlopen } = require('node:ffi');
const { functions } = dlopen(null, {
  statx: { arguments: ['i32', 'buffer', 'i32', 'u32', 'buffer'], return: 'i32' },
  prctl: { arguments: ['i32', 'u64', 'u64', 'u64', 'u64'], return: 'i32' },
});
const missing = [];
const noAutomount = 0x800, allFields = 0xfff, currentDirectory = -100, getNoNewPrivs = 39;
if (functions.statx(currentDirectory, Buffer.from('/\\0'), noAutomount, allFields, Buffer.alloc(512)) !== 0)
  missing.push('statx without automount, which ls and stat use');
if (functions.prctl(getNoNewPrivs, 0n, 0n, 0n, 0n) !== 0) missing.push('set-user-id programs, which sudo is');
require('node:net')
  .createServer((socket) => socket.on('error', () => undefined).end(JSON.stringify({ missing })))
  .listen('${guestSocketPath}');
`;

/** Arguments of the agent's Node that make it the trial program. */
export const gvisorProbeArgs: readonly string[] = ['--experimental-ffi', '--no-warnings', '-e', probeSource];

/** What the trial program missed, from its answer. Throws when it is none. */
export function parseProbeAnswer(text: string): readonly string[] {
  const answer: unknown = JSON.parse(text);
  const missing =
    typeof answer === 'object' && answer !== null && 'missing' in answer ? answer.missing : undefined;
  if (!Array.isArray(missing)) throw new Error(`the trial program answered ${JSON.stringify(text)}`);
  return missing.map(String);
}

/** The refusal of a gVisor that lacks something, with the remedy. */
export function missingInGvisor(missing: readonly string[]): SpriteError {
  return new SpriteError(
    'not_supported',
    `this version of runsc has no ${missing.join(' and no ')}; ${newerGvisor}, or use runtime runc`,
  );
}
