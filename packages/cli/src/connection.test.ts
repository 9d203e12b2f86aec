import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Environment, readEnvironment } from './config/environment.ts';
import { type Login, withLogin, withSelection } from './config/logins.ts';
import { writeProject } from './config/project-file.ts';
import { spritesFilePath, updateSpritesFile } from './config/sprites-file.ts';
import { parseOrg, parseSpriteUrl, resolveConnection } from './connection.ts';

const local = 'http://127.0.0.1:7777';
const prod = 'https://prod.example.com';
const logins: readonly Login[] = [
  { apiUrl: local, org: 'personal', token: 'personal/1/1/local' },
  { apiUrl: local, org: 'acme', token: 'acme/1/1/local' },
  { apiUrl: prod, org: 'acme', alias: 'prod', token: 'acme/1/1/prod' },
  { apiUrl: prod, org: 'far', alias: 'prod', token: 'far/1/1/prod' },
];
const homes: string[] = [];

async function fixture(variables: Record<string, string> = {}): Promise<{
  readonly environment: Environment;
  readonly cwd: string;
}> {
  const home = await mkdtemp(path.join(tmpdir(), 'sprites-connection-'));
  homes.push(home);
  await updateSpritesFile(spritesFilePath(home), (file) =>
    withSelection(logins.reduce(withLogin, file), { apiUrl: local, org: 'personal' }),
  );
  const cwd = path.join(home, 'work');
  await mkdir(cwd);
  return { environment: readEnvironment({ HOME: home, ...variables }), cwd };
}

afterEach(async () => {
  for (const home of homes.splice(0)) await rm(home, { recursive: true, force: true });
});

describe('resolveConnection', () => {
  it('uses the selection when nothing else is said', async () => {
    expect(await resolveConnection(await fixture())).toMatchObject({
      apiUrl: local,
      token: 'personal/1/1/local',
    });
  });

  it.each([
    ['acme', 'acme/1/1/local'],
    ['prod:acme', 'acme/1/1/prod'],
    ['far', 'far/1/1/prod'],
    ['prod:', 'acme/1/1/prod'],
  ])('takes -o %s before the selection', async (org, token) => {
    expect((await resolveConnection({ ...(await fixture()), org })).token).toBe(token);
  });

  it('never sends a token to a server it was not stored for', async () => {
    const input = await fixture({ SPRITES_API_URL: 'https://other.example.com' });
    await expect(resolveConnection(input)).rejects.toThrow('not logged in at https://other.example.com');
  });

  it('takes server and organization from the environment', async () => {
    const input = await fixture({ SPRITES_API_URL: `${prod}/`, SPRITE_ORG: 'far' });
    expect(await resolveConnection(input)).toMatchObject({ apiUrl: prod, org: 'far' });
  });

  it('takes the organization of the directory', async () => {
    const input = await fixture();
    await writeProject(input.cwd, { organization: 'acme', sprite: 'demo' });
    const found = await resolveConnection(input);
    expect(found).toMatchObject({ apiUrl: local, org: 'acme', project: { sprite: 'demo' } });
  });

  it('names the file that asks for an organization without a token', async () => {
    const input = await fixture();
    const file = await writeProject(input.cwd, { organization: 'unknown', sprite: 'demo' });
    await expect(resolveConnection(input)).rejects.toThrow(
      `no token for organization unknown (named by ${file})`,
    );
  });

  it('lets SPRITE_TOKEN win unless -o names another organization', async () => {
    const input = await fixture({ SPRITE_TOKEN: 'acme/9/9/env' });
    expect(await resolveConnection(input)).toMatchObject({
      apiUrl: local,
      org: 'acme',
      token: 'acme/9/9/env',
    });
    expect((await resolveConnection({ ...input, org: 'personal' })).token).toBe('personal/1/1/local');
  });

  it('needs no file when the environment says everything', async () => {
    const input = await fixture({ SPRITE_TOKEN: 'acme/9/9/env', SPRITES_API_URL: prod });
    await writeFile(spritesFilePath(input.environment.home), 'damaged');
    expect(await resolveConnection(input)).toMatchObject({ apiUrl: prod, token: 'acme/9/9/env' });
  });

  it('tells what to run when there is no login at all', async () => {
    const input = await fixture();
    await rm(spritesFilePath(input.environment.home));
    await expect(resolveConnection(input)).rejects.toThrow('not logged in; run `sprite login <api-url>`');
  });
});

describe('parseOrg', () => {
  it('takes apart alias and organization', () => {
    expect([parseOrg(undefined), parseOrg('a'), parseOrg('b:a'), parseOrg('b:')]).toEqual([
      {},
      { org: 'a' },
      { alias: 'b', org: 'a' },
      { alias: 'b' },
    ]);
  });
});

describe('parseSpriteUrl', () => {
  it('takes apart server and sprite, and refuses anything else', () => {
    expect(parseSpriteUrl(`${local}/v1/sprites/demo/`)).toEqual({ apiUrl: local, sprite: 'demo' });
    expect(() => parseSpriteUrl(local)).toThrow('SPRITE_URL must look like');
  });
});
