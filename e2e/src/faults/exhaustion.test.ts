import { ConnectionError, type Sprite, SpritesClient } from '@sprites/sdk';
import { startTestServer, type TestServer } from '@sprites/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let server: TestServer;
let client: SpritesClient;

beforeAll(async () => {
  server = await startTestServer({
    settings: { SPRITES_MEMORY_MB: '512', SPRITES_MAX_PROCESSES: '256', SPRITES_DISK_GB: '1' },
  });
  client = new SpritesClient(server.token, { baseURL: server.baseUrl });
});

afterAll(async () => {
  await server.close();
});

async function answers(sprite: Sprite, timeoutMs: number): Promise<boolean> {
  const giveUpMs = Date.now() + timeoutMs;
  while (Date.now() < giveUpMs) {
    const signal = AbortSignal.timeout(Math.max(1, giveUpMs - Date.now()));
    const said = await sprite.execFile('echo', ['ok'], { signal }).catch(() => undefined);
    if (said?.stdout === 'ok\n') return true;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  return false;
}

/** Puts breakpoints over the C library of the first process: the only way left to end it from inside. */
const overwriteFirstProcess = [
  "range=$(grep -m1 'r-xp.*libc.so' /proc/1/maps | cut -d' ' -f1)",
  'from=$((0x$(echo $range | cut -d- -f1) / 4096)); to=$((0x$(echo $range | cut -d- -f2) / 4096))',
  "tr '\\0' '\\314' </dev/zero | dd of=/proc/1/mem bs=4096 seek=$from count=$((to - from)) conv=notrunc",
].join('\n');

describe('a sprite that uses up what it has', () => {
  it('with a fork bomb harms no other sprite, and a restart brings it back', async () => {
    const [bomb, other] = await Promise.all([client.createSprite('bomb'), client.createSprite('beside')]);
    await Promise.all([bomb.execFile('true'), other.execFile('true')]);
    const running = bomb.spawn('bash', ['-c', 'bomb() { bomb | bomb & }; bomb; sleep 60'], {
      stdin: false,
      detachable: true,
    });
    running.on('error', () => undefined);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect(await answers(other, 10_000)).toBe(true);
    expect((await client.getSprite('bomb')).name).toBe('bomb');
    await bomb.restart();
    expect(await answers(bomb, 30_000)).toBe(true);
  }, 120_000);

  it('with too much memory loses the one process that took it', async () => {
    const sprite = await client.createSprite('memory');
    await sprite.execFile('sh', ['-c', 'sleep 600 >/dev/null 2>&1 &']);
    const greedy = 'x = []\nwhile True: x.append(bytearray(16 << 20))';
    await expect(sprite.execFile('python3', ['-c', greedy])).rejects.toMatchObject({ exitCode: 137 });
    expect((await sprite.execFile('pgrep', ['-f', 'sleep 600'])).exitCode).toBe(0);
  }, 120_000);

  it('with a full disk says so inside, still answers, and recovers when files are removed', async () => {
    const sprite = await client.createSprite('disk');
    const filled = await sprite
      .execFile('sh', ['-c', 'head -c 2G /dev/zero >big; sync; df --output=pcent . | tail -n1; exit 3'])
      .catch((error: unknown) => Object(error));
    expect(String(filled.stderr)).toContain('No space left on device');
    expect(await answers(sprite, 5000)).toBe(true);
    await sprite.execFile('rm', ['big']);
    expect((await sprite.execFile('sh', ['-c', 'echo again >file && cat file'])).stdout).toBe('again\n');
  }, 120_000);

  it('whose agent its own root breaks comes back by itself with its files', async () => {
    const sprite = await client.createSprite('agentless');
    await sprite.execFile('sh', ['-c', 'echo kept >file; sync']);
    const broken = sprite.execFile('sudo', ['sh', '-c', overwriteFirstProcess]);
    await expect(broken).rejects.toSatisfy((error) => error instanceof ConnectionError);
    expect(await answers(sprite, 15_000)).toBe(true);
    expect((await sprite.execFile('cat', ['file'])).stdout).toBe('kept\n');
    await expect.poll(async () => (await client.getSprite('agentless')).info?.incarnation).toBe(2);
  }, 60_000);

  it('does not notice when its user or root kills everything, the first process too', async () => {
    const sprite = await client.createSprite('initless');
    for (const program of [['kill'], ['sudo', 'kill']]) {
      for (const target of ['1', '-1']) {
        const [command = '', ...args] = [...program, '-9', target];
        await sprite.execFile(command, args).catch(() => undefined);
        expect(await answers(sprite, 15_000)).toBe(true);
      }
    }
    expect((await client.getSprite('initless')).info?.incarnation).toBe(1);
  }, 60_000);

  it('reaps what loses its parent', async () => {
    const sprite = await client.createSprite('orphans');
    await sprite.execFile('sh', ['-c', 'for i in $(seq 20); do (sleep 0.05 &); done; sleep 0.5']);
    const { stdout } = await sprite.execFile('sh', [
      '-c',
      'cat /proc/[0-9]*/stat | cut -d" " -f3 | sort | uniq -c',
    ]);
    expect(stdout).not.toMatch(/\bZ\b/);
  }, 60_000);
});
