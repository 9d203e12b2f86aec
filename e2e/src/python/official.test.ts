import { createHash } from 'node:crypto';
import { access, mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cacheFolder, programEnvironment, runProgram } from '../program.ts';
import { testServer, uniqueName } from '../server.ts';

const server = testServer();
const folder = import.meta.dirname;

describe('the official Python SDK', () => {
  let sprite: Sprite;
  let python: string;

  beforeAll(async () => {
    python = await openEnvironment();
    sprite = await new SpritesClient(server.token, { baseURL: server.baseURL }).createSprite(
      uniqueName('py'),
    );
  }, 300_000);
  afterAll(async () => {
    await sprite?.destroy();
  });

  it.each([
    ['creates, gets, lists, updates and destroys', 'lifecycle'],
    ['raises typed errors', 'errors'],
    ['passes environment and directory, and keeps the streams apart', 'env_dir_and_streams'],
    ['passes input', 'stdin'],
    ['ends the input of a command that was given none', 'no_stdin'],
    ['reports exit codes', 'exit_codes'],
    ['gives a terminal', 'tty'],
    ['resizes a terminal', 'resize'],
    ['leaves, lists, attaches to and kills a session', 'detach_attach_list_and_kill'],
    ['runs commands on a control connection', 'control_mode'],
    ['creates, lists, gets and restores checkpoints', 'checkpoints'],
    ['creates, lists, stops, starts, signals and deletes services', 'services'],
    ['sets, gets and clears network policies', 'network_policy'],
    ['writes, reads, lists, changes and removes files', 'files'],
    ['loses none of 50 MiB of output', 'big_output'],
  ])('%s', async (_, name) => {
    const env = programEnvironment(server, sprite.name);
    expect(await runProgram(python, [path.join(folder, 'conformance.py'), name], { env })).toBe('');
  });
});

/** The Python of a virtual environment with the SDK, made once for each list of requirements. */
async function openEnvironment(): Promise<string> {
  const requirements = path.join(folder, 'requirements.txt');
  const digest = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex')
    .slice(0, 12);
  const venv = path.join(cacheFolder, `venv-${digest}`);
  const python = path.join(venv, 'bin/python');
  const isMade = await access(path.join(venv, 'made')).then(
    () => true,
    () => false,
  );
  if (isMade) return python;
  await mkdir(cacheFolder, { recursive: true });
  await rm(venv, { recursive: true, force: true });
  await runProgram('python3', ['-m', 'venv', venv]);
  await runProgram(python, ['-m', 'pip', 'install', '--quiet', '-r', requirements]);
  // only a whole environment gets its mark
  await mkdir(path.join(venv, 'made'));
  return python;
}
