import { APIError, type Sprite, SpritesClient } from '@fly/sprites';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPolicyLab, type PolicyLab } from './lab.ts';

const connectScript = `
import socket, sys
try:
    s = socket.create_connection((sys.argv[1], 80), timeout=2); s.sendall(b'hello'); print(s.recv(10).decode())
except socket.gaierror as error: print('no name')
except OSError as error: print(error.strerror)
`;

describe('policies through the official JS SDK', () => {
  let lab: PolicyLab;
  let sprite: Sprite;

  beforeAll(async () => {
    lab = await openPolicyLab({ SPRITES_CREATE_RATE: '1' });
    const client = new SpritesClient(lab.server.token, { baseURL: lab.server.baseUrl });
    sprite = await client.createSprite('policy-js');
  });
  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  async function connect(target: string): Promise<string> {
    return (await sprite.execFile('python3', ['-c', connectScript, target])).stdout.toString().trim();
  }

  it('let a sprite reach what its rules name, from the moment they are set', async () => {
    expect(await sprite.getNetworkPolicy()).toEqual({ rules: [] });
    expect(await connect('evil.test')).toBe('hello');
    const policy = {
      rules: [
        { domain: '*.Good.test', action: 'allow' as const },
        { include: 'defaults' },
        { domain: 'good.test', action: 'allow' as const },
        { domain: '*', action: 'deny' as const },
      ],
    };
    await sprite.updateNetworkPolicy(policy);
    expect(await sprite.getNetworkPolicy()).toEqual(policy);
    expect(await connect('good.test')).toBe('hello');
    expect(await connect('api.good.test')).toBe('hello');
    expect(await connect('evil.test')).toBe('no name');
    expect(await connect(lab.addresses.evil)).toBe('No route to host');
    expect(await connect('rebind.test')).toBe('no name');
    const inside = await sprite.execFile('cat', ['/.sprite/policy/network.json']);
    expect(JSON.parse(inside.stdout.toString())).toEqual(policy);
    await sprite.updateNetworkPolicy({ rules: [] });
    expect(await connect('evil.test')).toBe('hello');
  });

  it('say what root may do and how much memory there is', async () => {
    expect(await sprite.getPrivilegesPolicy()).toEqual({});
    await sprite.updatePrivilegesPolicy({ profile: 'standard', devices: ['null'], noNewPrivileges: true });
    expect(await sprite.getPrivilegesPolicy()).toEqual({
      profile: 'standard',
      devices: ['null'],
      noNewPrivileges: true,
    });
    await sprite.deletePrivilegesPolicy();
    expect(await sprite.getPrivilegesPolicy()).toEqual({});
    expect(await sprite.getResourcesPolicy()).toEqual({ memory: undefined });
    await sprite.updateResourcesPolicy({ memory: { limitMB: 256 } });
    expect(await sprite.getResourcesPolicy()).toMatchObject({ memory: { limitMB: 256 } });
    await sprite.deleteResourcesPolicy();
    expect(await sprite.getResourcesPolicy()).toEqual({ memory: undefined });
  });

  it('are refused when they make no sense', async () => {
    await expect(
      sprite.updateNetworkPolicy({ rules: [{ domain: 'bad..name', action: 'allow' }] }),
    ).rejects.toThrow(/Invalid policy: .*invalid_policy.*rules\.0/);
    expect(await sprite.getNetworkPolicy()).toEqual({ rules: [] });
  });

  it('stand beside limits, which tell the SDK when to come back', async () => {
    const client = new SpritesClient(lab.server.token, { baseURL: lab.server.baseUrl });
    // the window of the first sprite may be over by now; then the next one fills its own
    const refusal = await client
      .createSprite('one-more')
      .then(() => client.createSprite('too-many'))
      .catch((error: unknown) => error);
    if (!(refusal instanceof APIError)) throw new Error('nothing was refused');
    expect(refusal.isCreationRateLimited()).toBe(true);
    expect(refusal).toMatchObject({ statusCode: 429, limit: 1, windowSeconds: 60, currentCount: 1 });
    expect(refusal.getRetryAfterSeconds()).toBeGreaterThan(0);
    expect(refusal.rateLimitRemaining).toBe(0);
  });
});
