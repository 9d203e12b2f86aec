import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { publishImage } from './image-file.ts';
import { openImages } from './index.ts';

const signal = new AbortController().signal;

async function fixture() {
  const dataDir = await mkdtemp(join(tmpdir(), 'sprites-library-'));
  const directory = join(dataDir, 'images');
  const images = await openImages({ dataDir, signal });
  return {
    dataDir,
    directory,
    images,
    async publish(name: string, content: string, recipeHash?: string) {
      const file = join(dataDir, 'made');
      await writeFile(file, content);
      return publishImage(directory, { file, name, recipeHash }, signal);
    },
    /** Makes an image older in its record. */
    async date(image: { readonly file: string }, createdAt: string) {
      const record = image.file.replace(/erofs$/, 'json');
      await writeFile(record, (await readFile(record, 'utf8')).replace(/"20\d\d-[^"]+"/, `"${createdAt}"`));
    },
    [Symbol.asyncDispose]: () => rm(dataDir, { recursive: true, force: true }),
  };
}

describe('ImageLibrary', () => {
  it('finds the newest of a name, and any by digest or file name', async () => {
    await using f = await fixture();
    const older = await f.publish('standard', 'one');
    await f.date(older, '2020-01-01T00:00:00.000Z');
    const newer = await f.publish('standard', 'two');
    expect(await f.images.find('standard')).toEqual(newer);
    expect((await f.images.find(older.digest))?.file).toBe(older.file);
    expect((await f.images.find(`standard-${older.digest.slice(7, 19)}`))?.file).toBe(older.file);
    expect(await f.images.find(older.digest.slice(7, 19))).toBeUndefined();
    expect((await f.images.list()).map((image) => image.digest)).toEqual([newer.digest, older.digest]);
    expect(await readFile(newer.file, 'utf8')).toBe('two');
  });

  it('does not build what is there already', async () => {
    await using f = await fixture();
    const recipeHash = await f.images.recipeHash('minimal');
    const there = await f.publish('minimal', 'built', recipeHash);
    expect(await f.images.build('minimal')).toEqual(there);
  });

  it('keeps other people on the host away from its files', async () => {
    await using f = await fixture();
    expect((await stat(f.directory)).mode & 0o777).toBe(0o700);
  });

  it('removes what a killed build left, and does not list half an image', async () => {
    await using f = await fixture();
    const image = await f.publish('standard', 'content');
    await truncate(image.file, 3);
    await mkdir(join(f.directory, '.unfinished-1-1-abc', 'root', 'etc'), { recursive: true });
    const again = await openImages({ dataDir: f.dataDir, signal });
    expect(await again.list()).toEqual([]);
    expect((await readdir(f.directory)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('says which record cannot be read', async () => {
    await using f = await fixture();
    await writeFile(join(f.directory, 'broken.json'), '{');
    await expect(f.images.list()).rejects.toThrow('the record of image broken cannot be read');
  });

  it('refuses recipes that do not exist', async () => {
    await using f = await fixture();
    await expect(f.images.build('none')).rejects.toMatchObject({ code: 'unknown_image' });
  });
});

describe('an extra CA', () => {
  it('is refused when it is no certificate', async () => {
    await using f = await fixture();
    const file = join(f.dataDir, 'ca.pem');
    const build = () => f.images.build('minimal', { extraCaFile: file });
    await expect(build()).rejects.toMatchObject({ message: expect.stringContaining('cannot be read') });
    await writeFile(file, 'hello');
    await expect(build()).rejects.toMatchObject({
      message: expect.stringContaining('holds no PEM certificate'),
    });
    await writeFile(file, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    await expect(build()).rejects.toMatchObject({ message: expect.stringContaining('cannot be parsed') });
  });
});
