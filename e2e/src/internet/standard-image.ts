import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runServerCommand } from '@sprites/testkit';
import { cacheFolder } from '../program.ts';
import type { Authority } from './authority.ts';

/** Where programs of the host are told to find the authorities they trust; the first one that is set counts. */
const bundleVariables = ['SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS', 'CURL_CA_BUNDLE', 'REQUESTS_CA_BUNDLE'];

/** Settings of a server whose sprites trust what this host and the tests trust. */
export type TrustSettings = { readonly SPRITES_IMAGES_DIR: string; readonly SPRITES_EXTRA_CA: string };

/** Makes sure that image `standard` is built with the host's extra authorities and the given one; takes minutes the first time. */
export async function prepareStandardImage(authority: Authority): Promise<TrustSettings> {
  // Beside the images of the recipes as they are now: another recipe means another folder.
  const folder = path.join(process.env.SPRITES_E2E_IMAGES ?? cacheFolder, 'with-extra-ca');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const settings = { SPRITES_IMAGES_DIR: folder, SPRITES_EXTRA_CA: path.join(folder, 'extra-ca.pem') };
  const certificates = [await readHostBundle(), await readFile(authority.certificateFile, 'utf8')];
  await writeFile(settings.SPRITES_EXTRA_CA, certificates.join('\n'));
  await buildImage('standard', settings);
  return settings;
}

/** Builds with the host's settings for apt and npm, of which some are in the environment. */
export async function buildImage(
  recipe: string,
  settings: Readonly<Record<string, string>>,
): Promise<string> {
  const host = Object.entries(process.env).flatMap(([name, value]) =>
    value === undefined || name.startsWith('SPRITES_') ? [] : [[name, value]],
  );
  return await runServerCommand(['image', 'build', recipe], {
    ...Object.fromEntries(host),
    SPRITES_DATA_DIR: path.join(cacheFolder, 'build'),
    ...settings,
  });
}

async function readHostBundle(): Promise<string> {
  const file = bundleVariables.map((name) => process.env[name]).find((value) => value);
  return file === undefined ? '' : await readFile(file, 'utf8');
}
