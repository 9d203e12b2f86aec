import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { startTestServer, type TestServer } from '@sprites/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../cli/until.ts';
import { cacheFolder, runProgram } from '../program.ts';
import { uniqueName } from '../server.ts';

const caddyfile = fileURLToPath(new URL('../../../docs/examples/Caddyfile', import.meta.url));

/** Debian's package, unpacked and not installed: an installation would start a service on this host. */
async function fetchCaddy(): Promise<string> {
  const folder = path.join(cacheFolder, 'caddy');
  await mkdir(folder, { recursive: true });
  const find = async (): Promise<string | undefined> =>
    (await readdir(folder)).find((name) => name.endsWith('.deb'));
  const download = () => runProgram('apt-get', ['download', 'caddy'], { cwd: folder });
  // without package lists it is not found at first
  if ((await find()) === undefined)
    await download().catch(async () => {
      await runProgram('apt-get', ['update']);
      await download();
    });
  const deb = await find();
  if (deb === undefined) throw new Error('apt-get downloaded no package caddy');
  await runProgram('dpkg-deb', ['-x', path.join(folder, deb), path.join(folder, 'root')]);
  return path.join(folder, 'root/usr/bin/caddy');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}

describe('behind Caddy with certificates on demand', () => {
  const domain = 'sprites.test';
  let server: TestServer;
  let sprite: Sprite;
  let caddy: ReturnType<typeof spawn>;
  let home: string;
  let port: number;
  let said = '';

  beforeAll(async () => {
    port = await freePort();
    home = await mkdtemp(path.join(tmpdir(), 'sprites-caddy-'));
    server = await startTestServer({
      settings: {
        SPRITES_DOMAIN: domain,
        SPRITES_PUBLIC_URL: `https://${domain}:${port}`,
        SPRITES_TRUST_PROXY: '127.0.0.1',
      },
    });
    const client = new SpritesClient(server.token, { baseURL: server.baseUrl });
    sprite = await client.createSprite(uniqueName('caddy'), { urlSettings: { auth: 'public' } });
    const echo = `python3 -c "
import http.server
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = str(self.headers).encode(); self.send_response(200); self.send_header('Content-Length', str(len(body))); self.end_headers(); self.wfile.write(body)
http.server.HTTPServer(('127.0.0.1', 8080), H).serve_forever()"`;
    await sprite.execFile('sh', ['-c', `setsid ${echo} >/dev/null 2>&1 </dev/null &`]);
    const binary = await fetchCaddy();
    caddy = spawn(binary, ['run', '--config', caddyfile, '--adapter', 'caddyfile'], {
      env: {
        HOME: home,
        XDG_DATA_HOME: home,
        XDG_CONFIG_HOME: home,
        CADDY_HTTP_PORT: String(await freePort()),
        CADDY_HTTPS_PORT: String(port),
        SPRITES_UPSTREAM: new URL(server.baseUrl).host,
        CADDY_GLOBAL_OPTIONS: 'skip_install_trust',
        CADDY_TLS_OPTIONS: 'issuer internal',
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    caddy.stderr?.on('data', (bytes: Buffer) => {
      said += bytes.toString();
    });
    await until(() => said.includes('serving initial configuration'));
  }, 180_000);
  afterAll(async () => {
    if (caddy?.exitCode === null) {
      const ended = new Promise((resolve) => caddy.once('exit', resolve));
      caddy.kill();
      await ended;
    }
    await server?.close();
    await rm(home, { recursive: true, force: true });
  }, 60_000);

  function get(host: string): Promise<{ readonly status: number; readonly text: string }> {
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, servername: host, rejectUnauthorized: false };
      const sent = request({ ...options, path: '/', headers: { host: `${host}:${port}` } }, (answer) => {
        let text = '';
        answer.on('data', (bytes: Buffer) => {
          text += bytes.toString();
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
      });
      sent.on('error', reject);
      sent.end();
    });
  }

  it('sprites answer by HTTPS and learn who the client is', async () => {
    const url = new URL(sprite.info?.url ?? '');
    expect(url.protocol).toBe('https:');
    const answer = await get(url.hostname);
    expect(answer.status).toBe(200);
    expect(answer.text).toMatch(/^X-Forwarded-Proto: https$/m);
    expect(answer.text).toMatch(/^X-Forwarded-For: 127\.0\.0\.1, 127\.0\.0\.1$/m);
  });

  it('the API answers on the domain itself', async () => {
    expect(await get(domain)).toMatchObject({ status: 404 });
  });

  it('no certificate is made for a host that does not exist', async () => {
    await expect(get(`nobody-aaaaaaaa.${domain}`)).rejects.toThrow();
    await expect(get('elsewhere.test')).rejects.toThrow();
  });
});
