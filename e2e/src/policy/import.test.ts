import { createHash } from 'node:crypto';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPolicyLab, type PolicyLab } from './lab.ts';

const creations = 6;

let lab: PolicyLab;
let sprite: Sprite;
/** an export without its compression */
let plain: Buffer;

beforeAll(async () => {
  lab = await openPolicyLab({ SPRITES_CREATE_RATE: String(creations) });
  sprite = await lab.client.createSprite('exported', { config: { ramMB: 256 } });
  await sprite.updateNetworkPolicy({ rules: [{ domain: '*.example.com', action: 'allow' }] });
  await sprite.updateResourcesPolicy({ memory: { limitMB: 2000 } });
  plain = zstdDecompressSync(await new Response(await sprite.export()).bytes());
}, 60_000);
afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
});

/** The export with another text of the same length in it, and checksums that fit. */
function forge(from: string, to: string): Buffer {
  const text = plain.toString('latin1');
  const end = text.lastIndexOf('end.json\0');
  const changed = text.slice(0, end).replace(from, to);
  const [before, after] = [text.slice(0, end), changed].map((part) =>
    createHash('sha256').update(Buffer.from(part, 'latin1')).digest('hex'),
  );
  if (before === undefined || after === undefined || !text.includes(before) || changed.length !== end) {
    throw new Error('this is not how exports are made');
  }
  return Buffer.from(changed + text.slice(end).replace(before, after), 'latin1');
}

async function importAs(name: string, bytes: Buffer, client = lab.client): Promise<Sprite> {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield zstdCompressSync(bytes);
  }
  return client.importSprite(pieces(), { name });
}

const allocate = `python3 -c 'b = bytearray(600 << 20); print(len(b) >> 20)' || echo killed`;

describe('an import', () => {
  it('never gives more memory than the sprite was made with, whatever its policy says', async () => {
    const imported = await importAs('imported', plain);
    for (const one of [sprite, imported]) {
      await one.sleep({ to: 'cold' });
      expect((await one.execFile('sh', ['-c', allocate])).stdout).toContain('killed');
    }
    expect(await imported.getResourcesPolicy()).toMatchObject({ memory: { limitMB: 2000 } });
  }, 60_000);

  it.each([
    ['a rule about no name', '*.example.com', '*.ex..ple.com', 'rules.0'],
    ['less memory than a sprite starts with', '"limit_mb":2000', '"limit_mb":   1', 'memory.limit_mb: 1'],
  ])('with %s is refused', async (_, from, to, reason) => {
    await expect(importAs('forged', forge(from, to))).rejects.toMatchObject({
      errorCode: 'invalid_policy',
      message: expect.stringContaining(reason),
    });
    await expect(lab.client.getSprite('forged')).rejects.toMatchObject({ statusCode: 404 });
  });

  it('counts as a creation', async () => {
    const { server } = lab;
    const client = new SpritesClient(await server.otherOrgToken(), { baseURL: server.baseUrl });
    const codes: string[] = [];
    for (let attempt = 0; attempt <= creations; attempt += 1) {
      const error = await importAs('none', Buffer.from('none'), client).catch((reason: unknown) =>
        Object(reason),
      );
      codes.push(error.errorCode);
    }
    expect(codes).toEqual([...Array(creations).fill('invalid_request'), 'sprite_creation_rate_limited']);
    await expect(client.createSprite('one-more')).rejects.toMatchObject({
      errorCode: 'sprite_creation_rate_limited',
    });
  });
});
