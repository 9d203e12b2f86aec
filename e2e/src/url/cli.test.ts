import { type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandLine } from '../cli/command-line.ts';
import { testServer, uniqueName } from '../server.ts';

const server = testServer();
const client = new SpritesClient(server.token, { baseURL: server.baseURL });

describe('sprite url', () => {
  let sprite: Sprite;
  let cli: CommandLine;
  beforeAll(async () => {
    sprite = await client.createSprite(uniqueName('url'));
    cli = await CommandLine.openFor(server);
  });
  afterAll(async () => {
    await cli?.close();
    await sprite?.delete();
  });

  it('prints the URL, for programs too', async () => {
    const { url } = (await client.getSprite(sprite.name)).info ?? {};
    expect(await cli.run(['url', sprite.name])).toMatchObject({ code: 0, text: `${url}\n` });
    const json = await cli.run(['url', '--json', '-s', sprite.name]);
    expect(JSON.parse(json.text)).toEqual({ url, auth: 'sprite' });
  });

  it('opens it to everybody and closes it again', async () => {
    const auth = async () => (await client.getSprite(sprite.name)).urlSettings?.auth;
    expect(await cli.run(['url', 'update', '--auth', 'public', '-s', sprite.name])).toMatchObject({
      code: 0,
    });
    expect(await auth()).toBe('public');
    const closed = await cli.run(['config', 'update', '--url-auth', 'sprite', '-s', sprite.name]);
    expect(closed).toMatchObject({ code: 0 });
    expect(closed.stderr).toContain('open with a token');
    expect(await auth()).toBe('sprite');
  });

  it('refuses what is no mode', async () => {
    expect(await cli.run(['url', 'update', '--auth', 'open', '-s', sprite.name])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('must be sprite or public, not open'),
    });
  });
});
