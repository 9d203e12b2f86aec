import { randomBytes } from 'node:crypto';
import { access, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { cacheFolder, runProgram } from '../program.ts';

const keyOptions = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** A certificate authority that nobody but a sprite with `SPRITES_EXTRA_CA` trusts. */
export type Authority = {
  /** PEM file of its own certificate */
  readonly certificateFile: string;
  readonly keyFile: string;
};

/** The tests' authority. It is kept between runs, so that the image that trusts it is built once. */
export async function openAuthority(): Promise<Authority> {
  const folder = path.join(cacheFolder, 'authority');
  if (!(await exists(folder))) await makeAuthority(folder);
  return toAuthority(folder);
}

/** Writes `server.pem` and `server.key` for a server with this IPv4 address into the folder. */
export async function issueCertificate(
  authority: Authority,
  { address, folder }: { readonly address: string; readonly folder: string },
): Promise<void> {
  const request = path.join(folder, 'server.csr');
  const extensions = path.join(folder, 'server.ext');
  const uses = [`subjectAltName=IP:${address}`, 'basicConstraints=critical,CA:FALSE'];
  await writeFile(extensions, `${[...uses, 'authorityKeyIdentifier=keyid'].join('\n')}\n`);
  await openssl([
    ...['req', '-new', ...keyOptions, '-subj', '/CN=test server'],
    ...['-keyout', path.join(folder, 'server.key'), '-out', request],
  ]);
  await openssl([
    ...['x509', '-req', '-in', request, '-extfile', extensions, '-days', '30'],
    ...['-CA', authority.certificateFile, '-CAkey', authority.keyFile],
    ...['-set_serial', `0x${randomBytes(8).toString('hex')}`],
    ...['-out', path.join(folder, 'server.pem')],
  ]);
}

async function makeAuthority(folder: string): Promise<void> {
  await mkdir(path.dirname(folder), { recursive: true });
  const unfinished = await mkdtemp(`${folder}-`);
  const { certificateFile, keyFile } = toAuthority(unfinished);
  await openssl([
    ...['req', '-x509', ...keyOptions, '-keyout', keyFile, '-out', certificateFile, '-days', '3650'],
    // Python refuses an authority that does not say what its key is for.
    ...['-subj', '/CN=sprites test authority', '-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
  ]);
  try {
    await rename(unfinished, folder);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    // Another run was faster: its authority serves as well.
    if (!(await exists(folder))) throw error;
  }
}

function toAuthority(folder: string): Authority {
  return { certificateFile: path.join(folder, 'ca.pem'), keyFile: path.join(folder, 'ca.key') };
}

async function openssl(args: readonly string[]): Promise<void> {
  await runProgram('openssl', args);
}

async function exists(file: string): Promise<boolean> {
  return await access(file).then(
    () => true,
    () => false,
  );
}
