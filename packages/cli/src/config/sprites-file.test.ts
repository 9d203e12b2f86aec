import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { currentSelection, listLogins } from './logins.ts';
import { saveLogin } from './save-login.ts';
import { readSpritesFile, spritesFilePath, updateSpritesFile } from './sprites-file.ts';

const homes: string[] = [];

async function fixture(content?: string): Promise<{ readonly home: string; readonly file: string }> {
  const home = await mkdtemp(path.join(tmpdir(), 'sprites-config-'));
  homes.push(home);
  const file = spritesFilePath(home);
  if (content !== undefined) {
    await mkdir(path.dirname(file));
    await writeFile(file, content);
  }
  return { home, file };
}

afterEach(async () => {
  for (const home of homes.splice(0)) await rm(home, { recursive: true, force: true });
});

const local = { apiUrl: 'http://127.0.0.1:7777', token: 'personal/org_1/tok_1/secret' };

describe('saveLogin', () => {
  it('makes a file and a directory that only their owner can read', async () => {
    const { home, file } = await fixture();
    await saveLogin({ ...local, home });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(path.dirname(file))).mode & 0o777).toBe(0o700);
    expect(await readdir(path.dirname(file))).toEqual(['sprites.json']);
  });

  it('stores the token under its server and organization and selects it', async () => {
    const { home, file } = await fixture();
    await saveLogin({ ...local, apiUrl: 'http://127.0.0.1:7777/', home });
    const content = await readSpritesFile(file);
    expect(currentSelection(content)).toEqual({ apiUrl: local.apiUrl, org: 'personal' });
    expect(listLogins(content)).toEqual([
      { apiUrl: local.apiUrl, org: 'personal', alias: undefined, token: local.token },
    ]);
  });

  it('loses nothing that others put into the file', async () => {
    const other = { url: 'https://api.example.com', orgs: { acme: { api_token: 'acme/a/b/c', extra: 1 } } };
    const { home, file } = await fixture(
      JSON.stringify({
        version: '1',
        later: [1],
        urls: { 'https://api.example.com': { ...other, more: true } },
      }),
    );
    await saveLogin({ ...local, home });
    const content = await readSpritesFile(file);
    expect(content).toMatchObject({
      later: [1],
      urls: { 'https://api.example.com': { ...other, more: true } },
    });
    expect(listLogins(content).map((login) => login.org)).toEqual(['acme', 'personal']);
  });

  it('refuses a damaged file and leaves it as it is', async () => {
    const { home, file } = await fixture('{"version": "1", ');
    await expect(saveLogin({ ...local, home })).rejects.toThrow(/not valid JSON and was left as it is/);
    expect(await readFile(file, 'utf8')).toBe('{"version": "1", ');
  });

  it('narrows the mode of a file that others could read', async () => {
    const { home, file } = await fixture('{}');
    await saveLogin({ ...local, home });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('writes through a symbolic link', async () => {
    const { home, file } = await fixture('{}');
    const real = path.join(home, 'dotfile.json');
    await rm(file);
    await writeFile(real, '{"kept": true}');
    await symlink(real, file);
    await saveLogin({ ...local, home });
    expect(JSON.parse(await readFile(real, 'utf8'))).toMatchObject({ kept: true, version: '1' });
  });

  it.each(['', 'word', 'a/b', 'a//b/c', 'a/b/c/d/e', 'a/b/c d/e'])('refuses %j as a token', async (token) => {
    const { home } = await fixture();
    await expect(saveLogin({ ...local, token, home })).rejects.toThrow(/org-slug\/org-id/);
  });
});

describe('updateSpritesFile', () => {
  it('loses no change of many at once', async () => {
    const { file } = await fixture('{}');
    const names = Array.from({ length: 20 }, (_, i) => `member${i}`);
    await Promise.all(names.map((name) => updateSpritesFile(file, (content) => ({ ...content, [name]: 1 }))));
    expect(Object.keys(await readSpritesFile(file)).sort()).toEqual(names.sort());
  });

  it('takes over the lock of a command that died', async () => {
    const { file } = await fixture('{}');
    await writeFile(`${file}.lock`, '');
    await utimes(`${file}.lock`, new Date(0), new Date(0));
    await updateSpritesFile(file, () => ({ done: true }));
    expect(await readSpritesFile(file)).toEqual({ done: true });
  });

  it('keeps the old file when the change fails', async () => {
    const { file } = await fixture('{"old": 1}');
    const failing = updateSpritesFile(file, () => {
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await readdir(path.dirname(file))).toEqual(['sprites.json']);
    expect(await readSpritesFile(file)).toEqual({ old: 1 });
  });
});
