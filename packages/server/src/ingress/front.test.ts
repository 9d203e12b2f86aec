import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect } from 'node:tls';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { openFront } from '../testing/front.ts';

/** A front with TLS, and the URL label of its private sprite. */
async function openTlsFront(): Promise<{ readonly port: number; readonly label: string }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sprites-tls-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const [key, cert] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=sprites.test', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  await promisify(execFile)('openssl', ['req', '-x509', '-nodes', ...subject, '-keyout', key, '-out', cert]);
  const { port, hostOf } = await openFront({ tls: { key: await readFile(key), cert: await readFile(cert) } });
  return { port, label: hostOf('demo').split('.')[0] ?? '' };
}

function ask(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => socket.write(text));
    let said = '';
    socket.on('data', (bytes: Buffer) => {
      said += bytes.toString();
    });
    socket.on('end', () => resolve(said));
    socket.on('error', reject);
  });
}

it('speaks TLS to clients of the API and of sprites', async () => {
  const { port, label } = await openTlsFront();
  const api = await ask(port, 'GET / HTTP/1.1\r\nHost: sprites.test\r\nConnection: close\r\n\r\n');
  expect(api).toContain('api true');
  const sprite = `GET / HTTP/1.1\r\nHost: ${label}.sprites.test\r\nAccept: text/html\r\nConnection: close\r\n\r\n`;
  const answer = await ask(port, sprite);
  expect(answer).toContain(`Location: https://sprites.test/signin?sprite=${label}`);
});

it('keeps its protocol when a request comes in pieces of a byte', async () => {
  const { port, label } = await openTlsFront();
  const text = `GET / HTTP/1.1\r\nHost: ${label}.sprites.test\r\nConnection: close\r\n\r\n`;
  const answer = await new Promise<string>((resolve, reject) => {
    let said = '';
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, async () => {
      for (const byte of text) await new Promise((next) => socket.write(byte, next));
    });
    socket.on('data', (bytes: Buffer) => {
      said += bytes.toString();
    });
    socket.on('end', () => resolve(said));
    socket.on('error', reject);
  });
  expect(answer).toMatch(/^HTTP\/1\.1 401 /);
});

it('refuses what is too much with when to come back', async () => {
  const { port, label } = await openTlsFront();
  const host = label.replace('demo', 'open');
  const text = `GET / HTTP/1.1\r\nHost: ${host}.sprites.test\r\nConnection: close\r\n\r\n`;
  for (let i = 0; i < 2; i++) expect(await ask(port, text)).not.toMatch(/^HTTP\/1\.1 429 /);
  const refused = await ask(port, text);
  expect(refused).toMatch(/^HTTP\/1\.1 429 /);
  expect(refused).toMatch(/^Retry-After: \d+\r$/m);
  expect(JSON.parse(refused.slice(refused.indexOf('{')))).toMatchObject({
    error: 'rate_limited',
    limit: 2,
    window_seconds: 60,
  });
});

it('leaves heads that are too long for a sprite to the API', async () => {
  const { port } = await openTlsFront();
  const long = `X-Long: ${'x'.repeat(200_000)}`;
  const api = await ask(port, `GET / HTTP/1.1\r\nHost: sprites.test\r\nConnection: close\r\n${long}\r\n\r\n`);
  expect(api).toContain('api true');
});
