import { type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, upgrade } from '../http.ts';
import { testServer, uniqueName } from '../server.ts';

const server = testServer();
const client = new SpritesClient(server.token, { baseURL: server.baseURL });
let sprite: Sprite;

beforeAll(async () => {
  sprite = await client.createSprite(uniqueName('input'));
});

afterAll(async () => {
  await sprite.delete();
});

async function refusalOf(query: string): Promise<unknown> {
  const outcome = await upgrade(server, `/v1/sprites/${sprite.name}/exec?${query}`);
  if ('refusal' in outcome) return outcome.refusal;
  outcome.socket.destroy();
  return 'accepted';
}

describe('exec with odd input', () => {
  it('takes an argument of 100,000 bytes', async () => {
    const argument = 'x'.repeat(100_000);
    const { stdout } = await sprite.execFile('sh', ['-c', 'printf %s "$1" | wc -c', 'sh', argument]);
    expect(stdout.trim()).toBe('100000');
  });

  it('takes an environment of 1 MiB, or says that it is too large', async () => {
    const env = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`V${i}`, 'x'.repeat(65_000)]));
    const command = sprite.execFile('sh', ['-c', 'env | wc -c'], { env });
    const outcome = await command.then(
      ({ stdout }) => Number(stdout) > 1_000_000,
      (error: unknown) => /too (large|long|big)|413|414|431|limit/i.test(String(error)),
    );
    expect(outcome).toBe(true);
    expect((await sprite.execFile('echo', ['still here'])).stdout).toBe('still here\n');
  });

  it('runs bash when there is no command', async () => {
    expect(await refusalOf('')).toBe('accepted');
  });

  it.each(['env=NOEQUALS', 'env=A%00B%3Dx', 'rows=many&tty=true', 'max_run_after_disconnect=soon'])(
    'refuses the query %s with 400',
    async (query) => {
      expect(await refusalOf(`cmd=true&${query}`)).toMatchObject({ status: 400, code: 'invalid_request' });
    },
  );

  it('ends with a reason when the working directory is not there', async () => {
    const failed = await sprite
      .execFile('pwd', [], { cwd: '/no/such/directory' })
      .catch((error: unknown) => error);
    expect(String(Reflect.get(Object(failed), 'stderr') ?? failed)).toMatch(/no such|not found|directory/i);
  });

  it('ends with a reason when the working directory must not be entered', async () => {
    await sprite.execFile('sudo', ['install', '-d', '-m', '700', '-o', 'root', '/closed']);
    const failed = await sprite.execFile('pwd', [], { cwd: '/closed' }).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(Error);
    expect((await sprite.execFile('true')).exitCode).toBe(0);
  });

  it('ends with 127 when the program does not exist, and 126 when it is none', async () => {
    await expect(sprite.execFile('no-such-program')).rejects.toMatchObject({ exitCode: 127 });
    await expect(sprite.execFile('/etc/passwd')).rejects.toMatchObject({ exitCode: 126 });
    await expect(sprite.execFile('/')).rejects.toMatchObject({ exitCode: 126 });
  });

  it('refuses to attach to a session that has ended or never was', async () => {
    await sprite.execFile('true');
    for (const id of ['999999', '0', '-1', 'x', '..%2F..', '1e99']) {
      const outcome = await upgrade(server, `/v1/sprites/${sprite.name}/exec/${id}`);
      expect(outcome, id).toMatchObject({ refusal: { status: 404 } });
    }
  });

  it('answers a kill with a signal that does not exist by 400, and of a session that never was by 404', async () => {
    const running = sprite.spawn('sleep', ['60'], { detachable: true });
    const sessions = await waitForSessions(1);
    const path = `/v1/sprites/${sprite.name}/exec/${sessions[0]}/kill`;
    expect(await call(server, 'POST', `${path}?signal=SIGNOPE`)).toMatchObject({
      status: 400,
      code: 'invalid_signal',
    });
    expect((await call(server, 'POST', `/v1/sprites/${sprite.name}/exec/999999/kill`)).status).toBe(404);
    expect((await call(server, 'POST', `${path}?signal=KILL`)).status).toBe(200);
    await running.wait();
  });

  it.each([
    [0, 0],
    [100_000, 100_000],
    [-1, 1],
  ])('survives a terminal of %d × %d', async (cols, rows) => {
    const command = sprite.spawn('sh', ['-c', 'read line; stty size'], { tty: true });
    command.resize(cols, rows);
    command.stdin.write('go\n');
    let output = '';
    for await (const chunk of command.stdout) output += Buffer.from(chunk).toString();
    expect(await command.wait()).toBe(0);
    expect(output).toMatch(/\d+ \d+/);
  });
});

async function waitForSessions(count: number): Promise<readonly string[]> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const sessions = await sprite.listSessions();
    if (sessions.length >= count) return sessions.map(({ id }) => id);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`there are not ${count} sessions after 5 s`);
}
