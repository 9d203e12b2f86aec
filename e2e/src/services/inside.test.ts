import { type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testServer, uniqueName } from '../server.ts';

const { baseURL, token } = testServer();
const client = new SpritesClient(token, { baseURL });

describe('inside a sprite', () => {
  let sprite: Sprite;

  beforeAll(async () => {
    sprite = await client.createSprite(uniqueName('env'));
  });
  afterAll(async () => {
    await sprite?.delete();
  });

  /** What a line of shell prints, and its exit code. */
  async function sh(line: string): Promise<{ readonly code: number; readonly said: string }> {
    const outcome = await sprite.execFile('bash', ['-c', line]).catch((error: unknown) => Object(error));
    if (typeof outcome.exitCode !== 'number') throw outcome;
    return { code: outcome.exitCode, said: `${outcome.stdout}${outcome.stderr}` };
  }

  it('sprite-env is there for every shell, with help for each command', async () => {
    for (const shell of ['bash -c', 'bash -lc', 'sudo sh -c']) {
      expect(await sh(`${shell} "sprite-env --help"`)).toMatchObject({ code: 0 });
    }
    for (const command of [
      'info',
      'services',
      'services create',
      'tasks',
      'checkpoints',
      'sessions',
      'curl',
    ]) {
      const { code, said } = await sh(`sprite-env ${command} --help`);
      expect([code, said.startsWith(`Usage: sprite-env ${command}`)]).toEqual([0, true]);
    }
    expect(await sh('sprite-env dance')).toMatchObject({
      code: 2,
      said: expect.stringContaining('unknown command'),
    });
  });

  it('services are made, seen, read, stopped and deleted', async () => {
    const made = await sh(
      'sprite-env services create web --cmd sh --args -c,"echo up on \\$PORT; exec sleep 1000" --env PORT=3000,MODE=a,b --dir /tmp --http-port 3000 --duration 1s',
    );
    expect(made).toEqual({ code: 0, said: expect.stringContaining('up on 3000\n') });
    expect((await sh('sprite-env services get web')).said).toContain('"MODE": "a,b"');
    expect(await sh('sprite-env services create two --needs web --no-stream -- sleep 1000')).toMatchObject({
      code: 0,
    });
    expect((await sh('sprite-env services')).said).toMatch(/^NAME .*\ntwo +running .*\nweb +running /);
    expect((await sh('sprite-env services logs web -n 1')).said).toBe('up on 3000\n');
    expect((await sh('sprite-env services stop two')).said).toBe('stopping\nstopped\n');
    expect(await sh('sprite-env services stop two')).toEqual({
      code: 1,
      said: 'sprite-env: service two is not running\n',
    });
    expect(await sh('sprite-env services create bad --duration 3s -- /no/such')).toMatchObject({ code: 1 });
    for (const name of ['two', 'web', 'bad'])
      expect((await sh(`sprite-env services rm ${name}`)).code).toBe(0);
    expect((await sh('sprite-env services')).said).toContain('there are no services');
  });

  it('tasks are made, refreshed, listed and ended, and can be read outside', async () => {
    const ask = (method: string, path: string, body = ''): Promise<{ said: string }> =>
      sh(
        `sprite-env curl -i -X ${method} ${body === '' ? '' : `-d '${body}'`} /v1/tasks${path} | sed '1p;$p;d'`,
      );
    const made = (await ask('POST', '', '{"name":"build it","expire":60}')).said;
    expect(made).toMatch(
      /^HTTP\/1.1 201 Created\n\{"name":"build it","started_at":"[^"]+","expires_at":"[^"]+"\}/,
    );
    expect((await ask('POST', '', '{"name":"build it","expire":"1m"}')).said).toContain('409 Conflict');
    expect((await ask('PUT', '/build%20it', '{"expire":"30m"}')).said).toContain('200 OK');
    expect((await ask('PUT', '', '{"name":"other","expire":"1h"}')).said).toContain('200 OK');
    const { tasks } = await (await outside('/tasks')).json();
    expect(tasks.map(({ name }: { name: string }) => name)).toEqual(['build it', 'other']);
    expect((await outside('/tasks/other')).status).toBe(200);
    expect((await outside('/tasks/other', 'DELETE')).status).toBe(405);
    expect((await ask('DELETE', '/other')).said).toContain('204 No Content');
    expect((await ask('DELETE', '/other')).said).toContain('404 Not Found');
    expect((await sh('sprite-env tasks put "build it" --expire 2h')).said).toContain('must be at most 1h');
    expect((await sh('sprite-env tasks')).said).toMatch(/^NAME .*\nbuild it /);
    expect((await sh('sprite-env tasks delete "build it" && sprite-env tasks')).said).toBe(
      'there are no tasks\n',
    );
  });

  it('checkpoints are made and listed', async () => {
    expect((await sh('sprite-env checkpoints create --comment hello 2>/dev/null')).said).toBe('v1\n');
    expect((await sh('sprite-env checkpoints')).said).toMatch(/\nv1 .* hello\n$/);
  });

  it('a sprite knows itself, and its user cannot change what it is told', async () => {
    const { name } = sprite;
    expect((await sh('sprite-env info')).said).toMatch(new RegExp(`^name +${name}\nstatus +running\n`));
    expect((await sh('cat /.sprite/version.txt')).said).toMatch(/^\d+\.\d+\.\d+\S*\n$/);
    expect((await sh('cat /.sprite/llm.txt')).said).toContain('sprite-env services create');
    for (const path of ['llm.txt', 'version.txt', 'bin/sprite-env', 'logs/services/x', 'new', 'api.sock']) {
      const { said } = await sh(`echo x > /.sprite/${path}; rm -f /.sprite/${path}`);
      expect(said).toMatch(/denied|Read-only|No such device/);
    }
    expect((await sh('sprite-env sessions')).said).toContain('sprite-env sessions');
  });

  it('addresses go to the console, and nowhere without one', async () => {
    expect(await sh('xdg-open https://example.com')).toEqual({
      code: 1,
      said: expect.stringContaining('open this address yourself: https://example.com'),
    });
    expect(await sh('sprite-browser file:///etc/passwd')).toMatchObject({ code: 1 });
    const command = sprite.spawn(
      'sh',
      ['-c', '$BROWSER "https://example.com/a?b=c;d#e"; sprite-console detach'],
      {
        tty: true,
      },
    );
    let said = '';
    command.stdout.on('data', (chunk) => {
      said += chunk;
    });
    expect(await command.wait()).toBe(0);
    expect(said).toBe(
      '\x1b]9999;browser-open;https://example.com/a?b=c;d#e\x1b\\\x1b]9999;console-detach\x1b\\',
    );
  });

  async function outside(path: string, method = 'GET'): Promise<Response> {
    const headers = { authorization: `Bearer ${token}` };
    return await fetch(`${baseURL}/v1/sprites/${sprite.name}${path}`, { method, headers });
  }
});

describe('tasks of a cold sprite', () => {
  it('are none, and asking does not wake it', async () => {
    const sprite = await client.createSprite(uniqueName('cold'));
    try {
      await sprite.upgrade();
      const headers = { authorization: `Bearer ${token}` };
      const answer = await fetch(`${baseURL}/v1/sprites/${sprite.name}/tasks`, { headers });
      expect([answer.status, await answer.json()]).toEqual([200, { tasks: [] }]);
      const one = await fetch(`${baseURL}/v1/sprites/${sprite.name}/tasks/x`, { headers });
      expect([one.status, (await one.json()).error]).toEqual([404, 'task_not_found']);
      expect((await client.getSprite(sprite.name)).status).toBe('cold');
    } finally {
      await sprite.delete();
    }
  });
});
