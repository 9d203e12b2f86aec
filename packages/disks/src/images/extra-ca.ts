import { createHash, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { SpriteError } from '@sprites/contract';

const blockPattern = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
const maxBytes = 4 * 1024 ** 2;
const systemBundle = '/etc/ssl/certs/ca-certificates.crt';

/** Variables that point programs with a trust store of their own at the system's. */
export const trustEnvironment: Readonly<Record<string, string>> = {
  AWS_CA_BUNDLE: systemBundle,
  CARGO_HTTP_CAINFO: systemBundle,
  CURL_CA_BUNDLE: systemBundle,
  DENO_TLS_CA_STORE: 'system',
  GIT_SSL_CAINFO: systemBundle,
  HEX_CACERTS_PATH: systemBundle,
  NODE_EXTRA_CA_CERTS: systemBundle,
  PIP_CERT: systemBundle,
  REQUESTS_CA_BUNDLE: systemBundle,
  SSL_CERT_FILE: systemBundle,
};

/** Certificates every sprite trusts besides the public ones. */
export type ExtraCa = {
  /** each certificate as PEM, in the order of the file */
  readonly certificates: readonly string[];
  /** sha-256 of the certificates, in hex */
  readonly hash: string;
};

/** Reads and checks a PEM file; comments and text between certificates are ignored. */
export async function readExtraCa(file: string): Promise<ExtraCa> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw refuse(file, 'cannot be read', cause);
  });
  if (text.length > maxBytes) throw refuse(file, 'is larger than 4 MiB');
  const certificates = (text.match(blockPattern) ?? []).map((block) => `${block}\n`);
  if (certificates.length === 0) throw refuse(file, 'holds no PEM certificate');
  for (const certificate of certificates) checkCertificate(file, certificate);
  return { certificates, hash: createHash('sha256').update(certificates.join('')).digest('hex') };
}

/** Shell script that adds the certificates to the system's store and names it in the environment. */
export function trustScript(extraCa: ExtraCa): string {
  const files = extraCa.certificates.map(
    (certificate, index) =>
      `cat >/usr/local/share/ca-certificates/sprites-extra-${index + 1}.crt <<'END'\n${certificate}END\n`,
  );
  const names = Object.keys(trustEnvironment);
  const variables = Object.entries(trustEnvironment).map(([name, value]) => `${name}=${value}\n`);
  return [
    ...files,
    'update-ca-certificates\n',
    `cat >>/etc/environment <<'END'\n`,
    ...variables,
    'END\n',
    `echo 'Defaults env_keep += "${names.join(' ')}"' >/etc/sudoers.d/91-sprite-trust\n`,
    'chmod 0440 /etc/sudoers.d/91-sprite-trust\n',
  ].join('');
}

function checkCertificate(file: string, certificate: string): void {
  try {
    new X509Certificate(certificate);
  } catch (cause) {
    throw refuse(file, 'holds a certificate that cannot be parsed', cause);
  }
}

function refuse(file: string, what: string, cause?: unknown): SpriteError {
  return new SpriteError(
    'invalid_request',
    `extra CA file ${file} ${what}; give a PEM file of certificates`,
    {
      cause,
    },
  );
}
