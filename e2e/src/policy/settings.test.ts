import { once } from 'node:events';
import { connect as openSocket, type Socket } from 'node:net';
import type { Sprite } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPolicyLab, type PolicyLab } from './lab.ts';

const apiRate = 100;
const mostConnections = 20;

const connectScript = `
import socket, sys
for target in sys.argv[1:]:
    try: socket.create_connection((target, 80), timeout=2); print('reached', end=' ')
    except socket.gaierror: print('unknown', end=' ')
    except OSError: print('refused', end=' ')
`;

// Asks sixty questions at once, and waits for all answers.
const floodScript = `
import socket, struct
server = open('/etc/resolv.conf').read().split()[1]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5); s.connect((server, 53))
for n in range(60): s.send(struct.pack('>HHHHHH', n, 256, 1, 0, 0, 0) + b'\\x01x\\x04good\\x04test\\0\\0\\1\\0\\1')
codes = [s.recv(500)[3] & 15 for n in range(60)]
print(codes.count(0) > 0, codes.count(5) > 0)
`;

let lab: PolicyLab;
let sprite: Sprite;

beforeAll(async () => {
  lab = await openPolicyLab({
    SPRITES_EGRESS_DEFAULT: 'deny',
    SPRITES_DNS_QUERIES_PER_S: '10',
    SPRITES_API_RATE: String(apiRate),
    SPRITES_MAX_CONNECTIONS: String(mostConnections),
  });
  sprite = await lab.client.createSprite('bounded');
});
afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
});

async function connect(...targets: readonly string[]): Promise<string> {
  return (await sprite.execFile('python3', ['-c', connectScript, ...targets])).stdout.trim();
}

describe('a server whose operator wants little let through', () => {
  it('lets a sprite without rules reach nothing, and one with rules what they allow', async () => {
    const { good, evil } = lab.addresses;
    expect(await connect('good.test', good, evil)).toBe('unknown refused refused');
    await sprite.updateNetworkPolicy({ rules: [{ domain: 'good.test', action: 'allow' }] });
    expect(await connect('good.test', good, evil)).toBe('reached reached refused');
    await sprite.updateNetworkPolicy({ rules: [] });
    expect(await connect('good.test', good, evil)).toBe('unknown refused refused');
  });

  it('answers only so many questions of a sprite, and tells how many were too much', async () => {
    await sprite.updateNetworkPolicy({ rules: [{ domain: '*.good.test', action: 'allow' }] });
    expect((await sprite.execFile('python3', ['-c', floodScript])).stdout).toBe('True True\n');
    const { dns } = await sprite.egressLog();
    expect(dns.limited).toBeGreaterThan(0);
    expect(dns.queries).toBeGreaterThanOrEqual(60);
  });

  it('closes connections that are too many, and takes others when there is room', async () => {
    const port = Number(new URL(lab.server.baseUrl).port);
    const sockets: Socket[] = [];
    let closed = 0;
    for (let count = 0; count < mostConnections + 10; count += 1) {
      const socket = openSocket(port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.on('close', () => {
        closed += 1;
      });
      sockets.push(socket);
      await once(socket, 'connect');
    }
    await expect.poll(() => closed, { timeout: 10_000 }).toBeGreaterThanOrEqual(10);
    expect(closed).toBeLessThan(sockets.length);
    for (const socket of sockets) socket.destroy();
    await expect
      .poll(() =>
        fetch(`${lab.server.baseUrl}/healthz`).then(
          ({ status }) => status,
          () => 0,
        ),
      )
      .toBe(200);
  });

  it('refuses requests with a token beyond its rate, and says when to come back', async () => {
    const ask = (token: string): Promise<Response> =>
      fetch(`${lab.server.baseUrl}/v1/sprites`, { headers: { authorization: `Bearer ${token}` } });
    let answer = await ask(lab.server.token);
    for (let count = 0; count < 2 * apiRate && answer.status === 200; count += 1) {
      await answer.arrayBuffer();
      answer = await ask(lab.server.token);
    }
    expect(answer.status).toBe(429);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'retry-after': expect.stringMatching(/^[1-9]\d?$/),
      'x-ratelimit-limit': String(apiRate),
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': expect.stringMatching(/^\d+$/),
    });
    expect(await answer.json()).toMatchObject({
      error: 'rate_limited',
      limit: apiRate,
      window_seconds: 60,
      current_count: apiRate,
      retry_after_seconds: expect.any(Number),
    });
    expect((await ask(await lab.server.otherOrgToken())).status).toBe(200);
  });
});
