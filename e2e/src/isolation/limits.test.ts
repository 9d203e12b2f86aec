import { readFile } from 'node:fs/promises';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { startTestServer, type TestServer } from '@sprites/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asRoot, pythonAsRoot } from './inside.ts';

let server: TestServer;
let client: SpritesClient;
let greedy: Sprite;
let other: Sprite;

beforeAll(async () => {
  server = await startTestServer({ settings: { SPRITES_MEMORY_MB: '512' } });
  client = new SpritesClient(server.token, { baseURL: server.baseUrl });
  [greedy, other] = await Promise.all([client.createSprite('greedy'), client.createSprite('other')]);
  await Promise.all([greedy.execFile('true'), other.execFile('true')]);
});

afterAll(async () => {
  await server?.close();
});

/** Python that takes as many as it gets, tells how many, and keeps them until it is killed. */
function keep(take: string): string {
  return `
import ctypes, os, resource, time
libc = ctypes.CDLL(None, use_errno=True)
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
count = 0
${take}
print(count, flush=True)
if os.fork() == 0:
    os.setsid()
    for number in (0, 1, 2): os.dup2(os.open('/dev/null', os.O_RDWR), number)
    time.sleep(60)`;
}

const inotify = `
while libc.inotify_init() >= 0: count += 1`;

describe('what a sprite takes of the kernel', () => {
  it('in watchers is bounded for itself, and leaves the others theirs', async () => {
    const taken = Number(await pythonAsRoot(greedy, keep(inotify)));
    expect(taken).toBeGreaterThan(1000);
    expect(taken).toBeLessThanOrEqual(2048);
    const left = Number(await pythonAsRoot(other, keep(inotify.replace(':', ' and count < 500:'))));
    expect(left).toBe(500);
    await Promise.all([asRoot(greedy, 'pkill -9 python3'), asRoot(other, 'pkill -9 python3')]);
  });

  it('cannot be raised by its root', async () => {
    const { said } = await asRoot(
      greedy,
      `mkdir -p /tmp/proc; mount -t proc proc /tmp/proc; umount /proc/sys
       for root in /proc /tmp/proc; do echo 999999 >$root/sys/user/max_inotify_instances && echo RAISED; done
       unshare -U -r sh -c 'echo 999999 >/proc/sys/user/max_inotify_instances'
       cat /proc/sys/user/max_inotify_instances /proc/sys/user/max_net_namespaces`,
    );
    expect(said).not.toContain('RAISED');
    expect(said).toMatch(/^2048\n64$/m);
  });

  it('in namespaces is bounded, also when it nests them', async () => {
    const program = `
pid = 0
while count < 300:
    pid = os.fork()
    if pid == 0:
        ok = libc.unshare(0x10000000 | 0x40000000) == 0
        os.write(2, b'') if ok else None
        if not ok: os._exit(1)
        time.sleep(5); os._exit(0)
    time.sleep(0.002)
    if os.waitpid(pid, os.WNOHANG)[0] != 0: break
    count += 1
print(count, flush=True)
os.kill(0, 9)`;
    const { stdout } = await greedy
      .execFile('sudo', [
        'setsid',
        '-w',
        'python3',
        '-c',
        `${keep('').split('count = 0')[0]}count = 0${program}`,
      ])
      .catch((error: unknown) => Object(error));
    expect(Number(String(stdout).trim())).toBeLessThan(130);
  });

  it('in open files leaves the host and the others theirs', async () => {
    const most = BigInt((await readFile('/proc/sys/fs/file-max', 'utf8')).trim());
    // more than memory could hold, so that memory of the sprite is what bounds it
    expect(most).toBeGreaterThan(2n ** 40n);
  });

  it('in priority is nothing: no real time, no negative niceness, no lower out-of-memory score', async () => {
    const { said } = await asRoot(
      greedy,
      'chrt -f 9 true && echo GOT; chrt -r 9 true && echo GOT; nice -n -5 true 2>/dev/null; ionice -c 1 true && echo GOT; sh -c "echo -900 >/proc/self/oom_score_adj" && echo GOT; nice -n -5 nice',
    );
    expect(said).not.toContain('GOT');
    expect(said).not.toMatch(/^-\d/m);
  });

  it('in processes and zombies ends at its own limit', async () => {
    const program = `
while True:
    try: pid = os.fork()
    except OSError: break
    if pid == 0: os._exit(0)
    count += 1`;
    const limit = 4096;
    const taken = Number(await pythonAsRoot(greedy, keep(program).split('if os.fork()')[0] ?? ''));
    expect(taken).toBeGreaterThan(100);
    expect(taken).toBeLessThanOrEqual(limit);
    expect((await other.execFile('sh', ['-c', 'true & wait; echo ok'])).stdout).toBe('ok\n');
  });

  it('in memory that no process owns ends at its own limit', async () => {
    const { said } = await asRoot(
      greedy,
      'mkdir -p /ram && mount -t tmpfs -o size=4g none /ram; head -c 2G /dev/zero >/ram/a; ls -s --block-size=M /ram/a',
    ).catch(() => ({ said: 'killed' }));
    expect(Number(/^(\d+)M/m.exec(said)?.[1] ?? 0)).toBeLessThan(600);
    expect((await other.execFile('echo', ['ok'])).stdout).toBe('ok\n');
  });
});
