import { copyFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cacheFolder, programEnvironment, runProgram } from '../program.ts';
import { testServer, uniqueName } from '../server.ts';

const server = testServer();
const build = await buildProgram();

const title =
  build.type === 'built'
    ? 'the official Go SDK'
    : `the official Go SDK, which the module proxy does not give here: ${build.why}`;

describe.skipIf(build.type === 'unavailable')(title, () => {
  let sprite: Sprite;

  beforeAll(async () => {
    sprite = await new SpritesClient(server.token, { baseURL: server.baseURL }).createSprite(
      uniqueName('go'),
    );
  });
  afterAll(async () => {
    await sprite?.destroy();
  });

  it.each([
    ['creates, gets, lists, upgrades and destroys', 'lifecycle'],
    ['gives errors, typed where the SDK types them', 'errors'],
    ['passes environment and directory, and keeps the streams apart', 'env_dir_and_streams'],
    ['passes input', 'stdin'],
    ['ends the input of a command that was given none', 'no_stdin'],
    ['reports exit codes', 'exit_codes'],
    ['gives a terminal', 'tty'],
    ['resizes a terminal', 'resize'],
    ['delivers signals', 'signal'],
    ['leaves, lists and attaches to a session', 'detach_and_attach'],
    ['runs commands when control connections are off', 'direct'],
    ['creates, lists, stops, starts, signals and deletes services', 'services'],
    ['loses none of 50 MiB of output', 'big_output'],
  ])('%s', async (_, name) => {
    const env = programEnvironment(server, sprite.name);
    if (build.type === 'unavailable') throw new Error(build.why);
    expect(await runProgram(build.file, [name], { env })).toBe('');
  });
});

/** What came of building: a program, or why its module cannot be had here. */
type Build =
  | { readonly type: 'built'; readonly file: string }
  | { readonly type: 'unavailable'; readonly why: string };

/** Builds the program outside the tree, with the newest SDK that the module proxy gives. */
async function buildProgram(): Promise<Build> {
  const folder = path.join(cacheFolder, 'go');
  await mkdir(folder, { recursive: true });
  for (const file of ['go.mod', 'conformance.go']) {
    await copyFile(path.join(import.meta.dirname, file), path.join(folder, file));
  }
  const why = await runProgram('go', ['mod', 'tidy'], { cwd: folder }).then(
    () => undefined,
    (error: unknown) => refusalOf(error),
  );
  if (why !== undefined) return { type: 'unavailable', why };
  const file = path.join(folder, 'conformance');
  await runProgram('go', ['build', '-o', file, '.'], { cwd: folder });
  return { type: 'built', file };
}

/** The status with which the module proxy refused the SDK; any other failure is thrown again. */
function refusalOf(error: unknown): string {
  const refusal = /sprites-go.*?: (\d{3} [A-Za-z ]+)/s.exec(String(error))?.[1];
  if (refusal === undefined) throw error;
  return refusal.trim();
}
