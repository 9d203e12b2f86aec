import { readFile } from 'node:fs/promises';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../cli/until.ts';
import { testServer, uniqueName } from '../server.ts';
import { exchange, hostOf, open, parse, send } from './client.ts';

const { baseURL, token, otherToken } = testServer();
const client = new SpritesClient(token, { baseURL });
const program = await readFile(new URL('./echo.py', import.meta.url), 'utf8');

/** Starts a program that outlives the command that starts it. */
async function background(of: Sprite, line: string): Promise<void> {
  await of.execFile('sh', ['-c', `setsid ${line} >/dev/null 2>&1 </dev/null &`]);
}

type Echo = {
  readonly method: string;
  readonly path: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
};

function header(echo: Echo, name: string): string | undefined {
  return echo.headers.find(([key]) => key.toLowerCase() === name)?.[1];
}

describe('the URL of a sprite', () => {
  let sprite: Sprite;
  let host: string;

  beforeAll(async () => {
    sprite = await client.createSprite(uniqueName('url'), { urlSettings: { auth: 'public' } });
    host = hostOf((await client.getSprite(sprite.name)).url ?? '');
    await sprite.execFile('sh', ['-c', 'cat > /tmp/echo.py'], { input: program });
    await background(sprite, 'python3 /tmp/echo.py 8080');
    await until(async () => (await send(host)).status === 200);
  });
  afterAll(async () => {
    await sprite?.delete();
  });

  async function echo(...request: Parameters<typeof send>): Promise<Echo> {
    const answer = await send(...request);
    expect(answer.status).toBe(200);
    return JSON.parse(answer.body);
  }

  it('leads to the program on port 8080, with path, query and body as they came', async () => {
    const said = await echo(host, { method: 'PUT', path: '/a%2Fb?x=1&y=%20', body: 'hello' });
    expect(said).toMatchObject({ method: 'PUT', path: '/a%2Fb?x=1&y=%20', body: 'hello' });
    expect(header(said, 'host')).toBe(host);
  });

  it('tells the program of the client, and believes nothing a client says of itself', async () => {
    const headers = { 'X-Forwarded-For': '6.6.6.6', 'X-Forwarded-Proto': 'https', Forwarded: 'for=6.6.6.6' };
    const said = await echo(host, { headers });
    expect(header(said, 'x-forwarded-for')).toBe('127.0.0.1');
    expect(header(said, 'x-forwarded-proto')).toBe('http');
    expect(header(said, 'x-forwarded-host')).toBe(host);
    expect(header(said, 'forwarded')).toBeUndefined();
  });

  it('passes on what is the sprite’s, and keeps back what concerns one connection', async () => {
    const headers = {
      Authorization: 'Basic c3ByaXRlOm93bg==',
      Cookie: 'a=1; sprites-session=secret; b=2',
      Connection: 'close, X-Drop',
      'X-Drop': 'me',
      'Keep-Alive': 'timeout=5',
      'Proxy-Authorization': 'Basic eA==',
      TE: 'trailers',
    };
    const said = await echo(host, { headers });
    expect(header(said, 'authorization')).toBe('Basic c3ByaXRlOm93bg==');
    expect(header(said, 'cookie')).toBe('a=1; b=2');
    for (const name of ['x-drop', 'keep-alive', 'proxy-authorization', 'te', 'connection'])
      expect(header(said, name)).toBeUndefined();
  });

  it('keeps a token of this server from a public sprite, too', async () => {
    for (const secret of [token, otherToken]) {
      const said = await echo(host, { headers: { Authorization: `Bearer ${secret}` } });
      expect(header(said, 'authorization')).toBeUndefined();
    }
    const own = await echo(host, { headers: { Authorization: 'Bearer of-the-program' } });
    expect(header(own, 'authorization')).toBe('Bearer of-the-program');
  });

  it('lets a sprite set cookies for its own host only', async () => {
    const text = await exchange(`GET /cookies HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect(text.match(/^Set-Cookie:.*$/gim)).toEqual(['Set-Cookie: a=1; Path=/', 'Set-Cookie: b=2']);
  });

  it('streams answers as they come, with their trailers', async () => {
    const socket = open();
    const times: number[] = [];
    let text = '';
    socket.on('data', (bytes: Buffer) => {
      times.push(performance.now());
      text += bytes.toString();
    });
    socket.write(`GET /stream HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    await expect.poll(() => text, { timeout: 10_000 }).toContain('X-Sum: 10\r\n\r\n');
    socket.destroy();
    expect(text).toContain('data: 0');
    // the first line was here well before the last
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(200);
  });

  it('streams chunked requests', async () => {
    const pieces = [
      `POST /up HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`,
      '3\r\nabc\r\n',
      '4;ext=1\r\ndefg\r\n',
      '0\r\nX-Trailer: yes\r\n\r\n',
    ];
    expect(JSON.parse(parse(await exchange(pieces)).body)).toMatchObject({ body: 'abcdefg' });
  });

  it('carries 64 MiB without holding it', async () => {
    const answer = await send(host, { path: '/big' });
    expect(answer.body.length).toBe(64 * 1024 * 1024);
  });

  it('answers many requests on one connection, also when they are sent at once', async () => {
    const one = (i: number, last: boolean): string =>
      `GET /${i} HTTP/1.1\r\nHost: ${host}\r\n${last ? 'Connection: close\r\n' : ''}\r\n`;
    const text = await exchange([0, 1, 2, 3, 4].map((i) => one(i, i === 4)).join(''));
    expect([...text.matchAll(/"path": "(\/\d)"/g)].map((match) => match[1])).toEqual([
      '/0',
      '/1',
      '/2',
      '/3',
      '/4',
    ]);
  });

  it('answers HEAD with the length and no body, and answers old clients', async () => {
    const head = await send(host, { method: 'HEAD', path: '/x' });
    expect(head).toMatchObject({ status: 200, body: '' });
    expect(Number(head.headers['content-length'])).toBeGreaterThan(10);
    const old = await exchange(`GET /old HTTP/1.0\r\nHost: ${host}\r\n\r\n`);
    expect(parse(old)).toMatchObject({ status: 200, body: 'until the end' });
    expect((await send(host, { path: '/old' })).body).toBe('until the end');
  });

  it('serves API and sprites on one connection, as proxies use them', async () => {
    const api = new URL(baseURL).host;
    const text = await exchange([
      `GET /healthz HTTP/1.1\r\nHost: ${api}\r\n\r\n`,
      `GET /second HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
      `GET /healthz HTTP/1.1\r\nHost: ${api}\r\nConnection: close\r\n\r\n`,
    ]);
    expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(3);
    expect(text).toContain('"path": "/second"');
  });

  it.each([
    ['/garbage', 'is not HTTP/1.1'],
    ['/both', 'both transfer-encoding and content-length'],
    ['/die', 'ended the connection'],
    ['/headers', 'longer than'],
    ['/switch', 'without being asked'],
  ])('says 502 when the program answers %s', async (path, reason) => {
    const answer = await send(host, { path });
    expect(answer).toMatchObject({ status: 502 });
    expect(JSON.parse(answer.body)).toMatchObject({
      error: 'bad_answer',
      message: expect.stringContaining(reason),
    });
  });

  it('refuses a head that is too long', async () => {
    const answer = await send(host, { headers: { 'X-Long': 'x'.repeat(100_000) } });
    expect(answer).toMatchObject({ status: 431 });
  });

  it('cuts an answer that the program did not finish', async () => {
    const text = await exchange(`GET /cut HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    expect(parse(text)).toMatchObject({ status: 200, body: 'half' });
  });

  it.each([
    ['both lengths', 'Content-Length: 5\r\nTransfer-Encoding: chunked', '0\r\n\r\n'],
    ['two lengths', 'Content-Length: 5\r\nContent-Length: 6', 'hello'],
    ['a list of lengths', 'Content-Length: 5, 5', 'hello'],
    ['a signed length', 'Content-Length: +5', 'hello'],
    ['an unknown coding', 'Transfer-Encoding: chunked, identity', '0\r\n\r\n'],
    ['a hidden coding', 'Transfer-Encoding: xchunked', '0\r\n\r\n'],
    ['a blank before the colon', 'Transfer-Encoding : chunked', '0\r\n\r\n'],
    ['a folded field', 'X: a\r\n b: c', ''],
    ['a bare line feed', 'X: a\nTransfer-Encoding: chunked', '0\r\n\r\n'],
    ['a NUL', 'X: a\0b', ''],
    ['a second host', 'Host: elsewhere', ''],
  ])('refuses a request with %s, which two readers could understand differently', async (_, fields, body) => {
    const text = await exchange(
      `POST /x HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n\r\n${body}GET /smuggled HTTP/1.1\r\n`,
    );
    expect(parse(text).status).toBeGreaterThanOrEqual(400);
    expect(text.match(/^HTTP\/1\.1/gm)).toHaveLength(1);
    expect(text).toContain('Connection: close');
  });

  it('refuses a chunked body that is not proper', async () => {
    for (const body of [
      '5\nhello\n0\n\n',
      '-1\r\n',
      '5\r\nhelloX\r\n0\r\n\r\n',
      '0x5\r\nhello\r\n0\r\n\r\n',
    ]) {
      const head = `POST /x HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n`;
      expect(parse(await exchange(head + body)).status).toBe(400);
    }
  });

  it('carries WebSockets both ways, and closes them with a code when the sprite stops', async () => {
    const server = `
import base64, hashlib, socket
s = socket.create_server(('127.0.0.1', 8080)); c, _ = s.accept(); h = b''
while b'\\r\\n\\r\\n' not in h: h += c.recv(4096)
key = [l.split(b': ')[1] for l in h.split(b'\\r\\n') if l.lower().startswith(b'sec-websocket-key')][0]
a = base64.b64encode(hashlib.sha1(key + b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest())
c.sendall(b'HTTP/1.1 101 X\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: ' + a + b'\\r\\n\\r\\n')
while True:
    d = c.recv(4096)
    if not d: break
    n = d[1] & 127; m = d[2:6]; t = bytes(b ^ m[i % 4] for i, b in enumerate(d[6:6 + n])); c.sendall(bytes([0x81, len(t)]) + t)
`;
    const ws = await client.createSprite(uniqueName('ws'), { urlSettings: { auth: 'public' } });
    try {
      const wsHost = hostOf((await client.getSprite(ws.name)).url ?? '');
      await ws.execFile('sh', ['-c', 'cat > /tmp/ws.py'], { input: server });
      await background(ws, 'python3 /tmp/ws.py');
      const listening = 'until ss -ltn | grep -q :8080; do sleep 0.02; done';
      await ws.execFile('sh', ['-c', listening]);
      const socket = open();
      let bytes = Buffer.alloc(0);
      socket.on('data', (piece: Buffer) => {
        bytes = Buffer.concat([bytes, piece]);
      });
      const ended = new Promise((resolve) => socket.once('close', resolve));
      socket.write(
        `GET /chat HTTP/1.1\r\nHost: ${wsHost}\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n`,
      );
      await expect
        .poll(() => bytes.toString('latin1'), { timeout: 20_000 })
        .toContain('Sec-WebSocket-Accept');
      bytes = Buffer.alloc(0);
      socket.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]));
      await expect.poll(() => bytes.toString('latin1')).toBe('\x81\x02hi');
      bytes = Buffer.alloc(0);
      await ws.restart();
      await ended;
      expect(bytes.readUInt16BE(2)).toBe(1001);
      // the new machine is up before the sprite goes
      await ws.execFile('true', []);
    } finally {
      await ws.delete();
    }
  });

  it('says where nothing listens, as JSON or as a page', async () => {
    const empty = await client.createSprite(uniqueName('empty'), { urlSettings: { auth: 'public' } });
    try {
      await empty.execFile('true', []);
      const emptyHost = hostOf((await client.getSprite(empty.name)).url ?? '');
      const json = await send(emptyHost);
      expect(json).toMatchObject({ status: 502 });
      expect(JSON.parse(json.body)).toMatchObject({
        error: 'port_unreachable',
        message: expect.stringContaining('8080'),
      });
      const page = await send(emptyHost, { headers: { Accept: 'text/html,*/*' } });
      expect(page.headers['content-type']).toContain('text/html');
      expect(page.body).toContain('502 Bad Gateway');
    } finally {
      await empty.delete();
    }
  });

  describe('of a private sprite', () => {
    let own: string;
    let privateSprite: Sprite;
    beforeAll(async () => {
      privateSprite = await client.createSprite(uniqueName('private'));
      own = hostOf((await client.getSprite(privateSprite.name)).url ?? '');
      await privateSprite.execFile('sh', ['-c', 'cat > /tmp/echo.py'], { input: program });
      await background(privateSprite, 'python3 /tmp/echo.py 8080');
      const headers = { Authorization: `Bearer ${token}` };
      await until(async () => (await send(own, { headers })).status === 200);
    });
    afterAll(async () => {
      await privateSprite?.delete();
    });

    it('takes a token, which never reaches the sprite', async () => {
      const said = await echo(own, { headers: { Authorization: `Bearer ${token}` } });
      expect(header(said, 'authorization')).toBeUndefined();
      expect(JSON.stringify(said)).not.toContain(token);
    });

    it('is closed without one, and to other organisations', async () => {
      expect(await send(own)).toMatchObject({ status: 401 });
      expect((await send(own)).headers['www-authenticate']).toContain('Bearer');
      expect(await send(own, { headers: { Authorization: 'Bearer nonsense-nonsense' } })).toMatchObject({
        status: 401,
      });
      const foreign = { Authorization: `Bearer ${otherToken}` };
      expect(await send(own, { headers: foreign })).toMatchObject({ status: 404 });
    });

    it('does not tell whether it exists', async () => {
      const unknown = own.replace(/^private/, 'unknown');
      expect((await send(unknown)).status).toBe(401);
      const headers = { Authorization: `Bearer ${token}` };
      expect((await send(unknown, { headers })).status).toBe(404);
    });

    it('lets a browser sign in by the API’s host, for this sprite only', async () => {
      const page = { Accept: 'text/html' };
      const asked = await send(own, { path: '/deep?q=1', headers: page });
      expect(asked.status).toBe(302);
      const signIn = new URL(asked.headers.location ?? '');
      expect(signIn.pathname).toBe('/signin');
      const form = await send(signIn.host, { path: signIn.pathname + signIn.search });
      expect(form).toMatchObject({ status: 200, body: expect.stringContaining('<form') });
      const fields = new URLSearchParams(signIn.search);
      const post = async (secret: string) =>
        send(signIn.host, {
          method: 'POST',
          path: '/signin',
          headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
          body: String(new URLSearchParams([...fields, ['token', secret]])),
        });
      expect((await post('wrong-wrong-wrong')).status).toBe(401);
      const back = await post(token);
      expect(back.status).toBe(303);
      const landing = new URL(back.headers.location ?? '');
      expect(landing.host).toBe(own);
      const session = await send(own, { path: landing.pathname + landing.search });
      expect(session).toMatchObject({ status: 303, headers: { location: '/deep?q=1' } });
      expect(session.headers['set-cookie']).toMatch(/HttpOnly; SameSite=Lax/);
      const cookie = (session.headers['set-cookie'] ?? '').split(';')[0] ?? '';
      const said = await echo(own, { headers: { Cookie: `${cookie}; mine=1` } });
      expect(header(said, 'cookie')).toBe('mine=1');
      // the code is spent, and the session is good for no other sprite
      expect((await send(own, { path: landing.pathname + landing.search })).status).toBe(403);
      const other = await client.createSprite(uniqueName('other'));
      try {
        const otherHost = hostOf((await client.getSprite(other.name)).url ?? '');
        expect((await send(otherHost, { headers: { Cookie: cookie } })).status).toBe(401);
      } finally {
        await other.delete();
      }
    });

    it('leads nowhere else after the sign-in', async () => {
      for (const path of ['//evil.example', '/\\evil.example', 'https://evil.example/']) {
        const answer = await send(new URL(baseURL).host, {
          method: 'POST',
          path: '/signin',
          headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
          body: String(new URLSearchParams({ sprite: own.split('.')[0] ?? '', path, token })),
        });
        expect(new URL(answer.headers.location ?? '').searchParams.get('to')).toBe('/');
      }
    });
  });
});
