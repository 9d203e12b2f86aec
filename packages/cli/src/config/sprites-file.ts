import { mkdir, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CliError } from '../cli-error.ts';
import { isJsonObject, type JsonObject } from './json.ts';

const lockWaitMs = 5000;
const lockStaleMs = 10_000;

/** Where the CLI keeps its logins: `~/.sprites/sprites.json`. */
export function spritesFilePath(home: string = homedir()): string {
  return path.join(home, '.sprites', 'sprites.json');
}

/** Reads the file; an object without members when there is none. A damaged file is an error, never an empty one. */
export async function readSpritesFile(file: string): Promise<JsonObject> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new CliError(`cannot read ${file}: ${error.code ?? error.message}`, { cause: error });
  });
  return text === undefined ? {} : parse(text, file);
}

/**
 * Changes the file under a lock and replaces it in one step, so that two commands at once lose nothing
 * and a crash leaves the old or the new file. The directory is made with mode 0700, the file with 0600.
 */
export async function updateSpritesFile(
  file: string,
  edit: (content: JsonObject) => JsonObject | Promise<JsonObject>,
): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const target = await realpath(file).catch(() => file);
  const release = await lock(`${target}.lock`);
  try {
    await replace(target, await edit(await readSpritesFile(target)));
  } finally {
    await release();
  }
}

function parse(text: string, file: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damaged(file, cause);
  }
  if (!isJsonObject(value)) throw damaged(file, undefined);
  return value;
}

function damaged(file: string, cause: unknown): CliError {
  return new CliError(
    `${file} is not valid JSON and was left as it is; mend it, or move it away and run \`sprite login\``,
    { cause },
  );
}

async function replace(target: string, content: JsonObject): Promise<void> {
  const temporary = `${target}.${process.pid}.tmp`;
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.chmod(0o600);
    await handle.writeFile(`${JSON.stringify(content, undefined, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, target);
}

async function lock(lockFile: string): Promise<() => Promise<void>> {
  const giveUpAt = Date.now() + lockWaitMs;
  while (!(await tryLock(lockFile))) {
    if (Date.now() > giveUpAt) {
      throw new CliError(`${lockFile} is held by another sprite command; remove it if none is running`);
    }
    await sleep(20);
  }
  return () => rm(lockFile, { force: true });
}

async function tryLock(lockFile: string): Promise<boolean> {
  try {
    await (await open(lockFile, 'wx', 0o600)).close();
    return true;
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error;
  }
  const held = await stat(lockFile).catch(() => undefined);
  // A lock that old belongs to a command that died; the next round takes it.
  if (held !== undefined && Date.now() - held.mtimeMs > lockStaleMs) await rm(lockFile, { force: true });
  return false;
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
