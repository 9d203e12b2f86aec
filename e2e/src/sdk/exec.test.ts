import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { ExecError, type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bigOutputBytes, bigOutputScript } from '../big-output.ts';
import { testServer, uniqueName } from '../server.ts';

const { baseURL, token } = testServer();

describe.each([
  ['connections of their own', false],
  ['control connections', true],
])('commands through our SDK over %s', (_, controlMode) => {
  const client = new SpritesClient(token, { baseURL, controlMode });
  let sprite: Sprite;

  beforeAll(async () => {
    sprite = await client.createSprite(uniqueName('exec'));
  });
  afterAll(async () => {
    await sprite?.destroy();
  });

  it('keeps stdout and stderr apart', async () => {
    const result = await sprite.execFile('sh', ['-c', 'echo out; echo err >&2']);
    expect(result).toEqual({ stdout: 'out\n', stderr: 'err\n', exitCode: 0 });
  });

  it('passes input, environment, directory and odd arguments', async () => {
    const script = 'cat; printf "%s|%s|%s|%s" "$A" "$(pwd)" "$1" "$2"';
    const { stdout } = await sprite.execFile('sh', ['-c', script, 'sh', 'ä "x"\n', ''], {
      input: 'from stdin\n',
      env: { A: 'b=c&d +ü' },
      cwd: '/tmp',
    });
    expect(stdout).toBe('from stdin\nb=c&d +ü|/tmp|ä "x"\n|');
  });

  it.each([
    ['sh', ['-c', 'exit 3'], 3],
    ['/no/such/program', [], 127],
    ['/etc/passwd', [], 126],
    ['sh', ['-c', 'kill -9 $$'], 137],
  ])('reports how %s %j ended', async (file, args, exitCode) => {
    const error = await sprite.execFile(file, args).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ExecError);
    expect(error).toMatchObject({ exitCode });
  });

  it('loses none of 50 MiB of output', async () => {
    const command = sprite.spawn('sh', ['-c', bigOutputScript]);
    command.stdin.end();
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of command.stdout) {
      hash.update(chunk);
      size += chunk.length;
    }
    expect(await command.wait()).toBe(0);
    expect(size).toBe(bigOutputBytes);
    const { stdout } = await sprite.execFile('sh', ['-c', `${bigOutputScript} | sha256sum`]);
    expect(hash.digest('hex')).toBe(stdout.slice(0, 64));
  });

  it('loses none of 20 MiB of input', async () => {
    const input = Buffer.alloc(20 * 1024 * 1024, 'sprites are persistent ');
    const { stdout } = await sprite.execFile('sha256sum', [], { input });
    expect(stdout.slice(0, 64)).toBe(createHash('sha256').update(input).digest('hex'));
  });

  it('gives a terminal of the size asked for, and resizes it', async () => {
    const script = 'tty; stty size; read line; stty size; exit 5';
    const command = sprite.spawn('sh', ['-c', script], { tty: true, rows: 33, cols: 111 });
    let text = '';
    command.stdout.on('data', (chunk) => {
      text += chunk;
      if (text.includes('33 111') && !text.includes('44 99')) {
        command.resize(99, 44);
        command.stdin.write('go\n');
      }
    });
    expect(await command.wait()).toBe(5);
    expect(text).toMatch(/^\/dev\/\S+\r\n33 111\r\n/);
    expect(text).toContain('44 99\r\n');
  });

  it('delivers signals', async () => {
    const command = sprite.spawn('sh', [
      '-c',
      'trap "echo caught; exit 9" TERM; echo up; while :; do sleep 0.1; done',
    ]);
    const chunks: Buffer[] = [];
    command.stdout.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      command.kill();
    });
    expect(await command.wait()).toBe(9);
    expect(Buffer.concat(chunks).toString()).toBe('up\ncaught\n');
  });

  it('runs many commands at once', async () => {
    const runs = Array.from({ length: 20 }, (_, i) => sprite.execFile('sh', ['-c', `echo ${i}; exit 0`]));
    expect((await Promise.all(runs)).map((run) => Number(run.stdout))).toEqual(runs.map((_, i) => i));
  });
});

describe('sessions through our SDK', () => {
  const client = new SpritesClient(token, { baseURL });
  let sprite: Sprite;

  beforeAll(async () => {
    sprite = await client.createSprite(uniqueName('session'));
  });
  afterAll(async () => {
    await sprite?.destroy();
  });

  it('lists, detaches from, attaches to and kills a session', async () => {
    const first = sprite.createSession('sh', ['-c', 'echo ready; exec cat']);
    await once(first.stdout, 'data');
    const id = first.sessionId;
    if (id === undefined) throw new Error('the session has no id');
    first.detach();
    await expect.poll(async () => (await sprite.listSessions()).map((one) => one.id)).toContain(id);

    const second = sprite.attachSession(id);
    let text = '';
    second.stdout.on('data', (chunk) => {
      text += chunk;
    });
    await expect.poll(() => text).toContain('ready');
    expect(second.tty).toBe(true);
    second.stdin.write('again\n');
    await expect.poll(() => text).toContain('again');

    const events = [];
    for await (const event of await sprite.killSession(id, 'SIGTERM', '5s')) events.push(event.type);
    expect(events.at(-1)).toBe('complete');
    expect(await second.wait()).toBe(143);
    await expect(sprite.attachSession(id).wait()).rejects.toMatchObject({ errorCode: 'session_not_found' });
  });

  it('resumes a long output at the byte where it was left', async () => {
    const script = 'i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; sleep 1; echo end';
    const first = sprite.spawn('sh', ['-c', script], { detachable: true });
    let text = '';
    for await (const chunk of first.stdout) {
      text += chunk;
      if (text.length > 4000) break;
    }
    const { sessionId, cursor } = first;
    first.detach();
    if (sessionId === undefined) throw new Error('the session has no id');

    const second = sprite.attachSession(sessionId, { cursor });
    // what was received but not read before the detach is not sent again
    let rest = '';
    second.stdout.on('data', (chunk) => {
      rest += chunk;
    });
    expect(await second.wait()).toBe(0);
    const wanted = `${Array.from({ length: 2000 }, (_, i) => `line ${i}\n`).join('')}end\n`;
    expect(rest).toBe(wanted.slice(cursor));
    expect(text).toBe(wanted.slice(0, text.length));
  });

  it('runs a command over plain HTTP', async () => {
    const run = sprite.execFileHTTP('sh', ['-c', 'cat; echo err >&2; exit 4'], { input: 'in' });
    const error = await run.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ exitCode: 4, stdout: 'in', stderr: 'err\n' });
  });
});
