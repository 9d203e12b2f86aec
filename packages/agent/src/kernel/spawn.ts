import { getRawPointer } from 'node:ffi';
import { constants } from 'node:os';
import { libc, toCString } from './libc.ts';

const setSignalDefaults = 0x04;
const setSignalMask = 0x08;
const setSession = 0x80;
const openReadWrite = 2;
/** larger than any C library's posix_spawnattr_t, posix_spawn_file_actions_t and sigset_t */
const structBytes = 512;

/** A program to start. It leads a session and process group of its own, with no signal ignored or blocked. */
export type Program = {
  /** absolute path of the executable */
  readonly file: string;
  readonly argv: readonly string[];
  /** `KEY=VALUE` entries */
  readonly env: readonly string[];
  readonly dir: string;
  readonly stdio: ProgramStdio;
};

/** Three open descriptors, or the terminal that becomes the program's controlling one. */
export type ProgramStdio =
  | { readonly type: 'pipes'; readonly stdin: number; readonly stdout: number; readonly stderr: number }
  | { readonly type: 'terminal'; readonly path: string };

export type SpawnOutcome =
  | { readonly type: 'started'; readonly pid: number }
  | { readonly type: 'failed'; readonly errno: number };

const attributes = createAttributes();

/** Starts a program as the user this is called as. A script without `#!` is given to `/bin/sh`, as shells do. */
export function spawnProgram(program: Program): SpawnOutcome {
  const actions = Buffer.alloc(structBytes);
  libc.posix_spawn_file_actions_init(actions);
  try {
    addActions(actions, program);
    const outcome = spawn(program.file, program.argv, program.env, actions);
    if (outcome.type === 'started' || outcome.errno !== constants.errno.ENOEXEC) return outcome;
    return spawn('/bin/sh', ['sh', program.file, ...program.argv.slice(1)], program.env, actions);
  } finally {
    libc.posix_spawn_file_actions_destroy(actions);
  }
}

function addActions(actions: Buffer, { dir, stdio }: Program): void {
  libc.posix_spawn_file_actions_addchdir_np(actions, toCString(dir));
  if (stdio.type === 'terminal') {
    // A session leader that opens a terminal gets it as its controlling terminal.
    libc.posix_spawn_file_actions_addopen(actions, 0, toCString(stdio.path), openReadWrite, 0);
    libc.posix_spawn_file_actions_adddup2(actions, 0, 1);
    libc.posix_spawn_file_actions_adddup2(actions, 0, 2);
  } else {
    libc.posix_spawn_file_actions_adddup2(actions, stdio.stdin, 0);
    libc.posix_spawn_file_actions_adddup2(actions, stdio.stdout, 1);
    libc.posix_spawn_file_actions_adddup2(actions, stdio.stderr, 2);
  }
  libc.posix_spawn_file_actions_addclosefrom_np(actions, 3);
}

function spawn(file: string, argv: readonly string[], env: readonly string[], actions: Buffer): SpawnOutcome {
  const pid = Buffer.alloc(4);
  const args = createStringArray(argv);
  const variables = createStringArray(env);
  const errno = libc.posix_spawn(
    pid,
    toCString(file),
    actions,
    attributes,
    args.pointers,
    variables.pointers,
  );
  return errno === 0 ? { type: 'started', pid: pid.readInt32LE(0) } : { type: 'failed', errno };
}

/** The `char *[]` of the C library; `text` must stay referenced as long as `pointers` is used. */
function createStringArray(list: readonly string[]): { readonly pointers: Buffer; readonly text: Buffer } {
  const text = Buffer.from(list.map((item) => `${item}\0`).join('') || '\0');
  const base = getRawPointer(text);
  const pointers = Buffer.alloc(8 * (list.length + 1));
  let offset = 0;
  list.forEach((item, index) => {
    pointers.writeBigUInt64LE(base + BigInt(offset), index * 8);
    offset += Buffer.byteLength(item) + 1;
  });
  return { pointers, text };
}

function createAttributes(): Buffer {
  const created = Buffer.alloc(structBytes);
  const signals = Buffer.alloc(structBytes);
  libc.posix_spawnattr_init(created);
  libc.posix_spawnattr_setsigmask(created, signals);
  libc.sigfillset(signals);
  libc.posix_spawnattr_setsigdefault(created, signals);
  libc.posix_spawnattr_setflags(created, setSession | setSignalDefaults | setSignalMask);
  return created;
}
