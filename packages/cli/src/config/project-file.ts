import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { CliError } from '../cli-error.ts';
import { isJsonObject, type JsonObject, textAt } from './json.ts';

/** The sprite a directory tree belongs to, and the file that says so. */
export type Project = {
  readonly file: string;
  readonly organization?: string | undefined;
  readonly sprite?: string | undefined;
};

/** Finds the nearest `.sprite` file from `directory` upward. Directories of that name are passed over. */
export async function findProject(directory: string): Promise<Project | undefined> {
  for (let at = path.resolve(directory); ; at = path.dirname(at)) {
    const file = path.join(at, '.sprite');
    if ((await stat(file).catch(() => undefined))?.isFile()) return readProject(file);
    if (at === path.dirname(at)) return undefined;
  }
}

/** Writes `.sprite` in the directory; members that another program put there stay. */
export async function writeProject(
  directory: string,
  { organization, sprite }: { readonly organization: string | undefined; readonly sprite: string },
): Promise<string> {
  const file = path.join(directory, '.sprite');
  const old = (await stat(file).catch(() => undefined))?.isFile() ? await readJson(file) : {};
  const content = { ...old, ...(organization === undefined ? {} : { organization }), sprite };
  const temporary = `${file}.${process.pid}.tmp`;
  await writeFile(temporary, `${JSON.stringify(content, undefined, 2)}\n`);
  await rename(temporary, file);
  return file;
}

/** Removes `.sprite` from the directory; says whether there was one. */
export async function removeProject(directory: string): Promise<boolean> {
  const file = path.join(directory, '.sprite');
  if (!(await stat(file).catch(() => undefined))?.isFile()) return false;
  await rm(file);
  return true;
}

async function readProject(file: string): Promise<Project> {
  const content = await readJson(file);
  return { file, organization: textAt(content, 'organization'), sprite: textAt(content, 'sprite') };
}

async function readJson(file: string): Promise<JsonObject> {
  const text = await readFile(file, 'utf8');
  try {
    const value: unknown = JSON.parse(text);
    if (isJsonObject(value)) return value;
  } catch (cause) {
    throw new CliError(`${file} is not valid JSON; mend or remove it`, { cause });
  }
  throw new CliError(`${file} must hold a JSON object; mend or remove it`);
}
