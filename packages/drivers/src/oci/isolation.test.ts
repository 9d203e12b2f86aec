import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createOciFixture, createOciWorld, type OciFixture, type OciWorld } from './fixture.ts';

let world: OciWorld;
let fixture: OciFixture;

beforeAll(async () => {
  world = await createOciWorld();
  fixture = await createOciFixture(world);
  await fixture.driver.start(await fixture.spec(1), async () => undefined, AbortSignal.timeout(20_000));
  await fixture.driver.start(await fixture.spec(2), async () => undefined, AbortSignal.timeout(20_000));
});

afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

/** Runs a shell command as root inside sprite 1. */
async function sh(command: string): Promise<{ readonly status: unknown; readonly output: string }> {
  const value = await fixture.evaluate('sprite_1', `return sh(${JSON.stringify(command)})`);
  if (typeof value !== 'object' || value === null || !('status' in value) || !('output' in value)) {
    throw new Error('no answer of a shell');
  }
  return { status: value.status, output: String(value.output) };
}

/** Makes a raw system call as root inside sprite 1 and answers the errno's name, or `ok`. */
async function syscall(number: number, ...args: readonly (number | string)[]): Promise<unknown> {
  return fixture.evaluate(
    'sprite_1',
    `const k = koffi();
     const args = ${JSON.stringify(args)};
     const types = args.map((arg) => (typeof arg === 'string' ? 'str' : 'int64'));
     const call = k.load('libc.so.6').func('syscall', 'long', ['long', ...types]);
     if (call(${number}, ...args) >= 0) return 'ok';
     const errno = k.errno();
     return Object.entries(k.os.errno).find(([, value]) => value === errno)?.[0] ?? errno;`,
  );
}

describe('root inside a sprite', () => {
  it.each([
    ['mount a disk of the host', 'mkdir -p /m; mknod /d b 259 0 || mount /dev/vda /m'],
    ['make a block device', 'mknod /disk b 7 0'],
    ['make a character device', 'mknod /mem c 1 1'],
    ['write a global sysctl', 'echo 1 > /proc/sys/kernel/panic'],
    ['write a global sysctl under the mask', 'umount /proc/sys; echo 1 > /proc/sys/kernel/panic'],
    ['set the core pattern', 'umount -l /proc/sys; echo "|/x" > /proc/sys/kernel/core_pattern'],
    ['press a system key', 'umount -l /proc/sysrq-trigger; echo h > /proc/sysrq-trigger'],
    ['read kernel memory', 'umount -l /proc/kcore; dd if=/proc/kcore of=/dev/null bs=1 count=1'],
    ['read the kernel log', 'dmesg'],
    ['write to sysfs', 'mount -o remount,rw /sys; echo 1 > /sys/kernel/mm/ksm/run'],
    [
      'mount a cgroup hierarchy of the host',
      'mkdir -p /c; mount -t cgroup -o devices none /c && echo a > /c/devices.allow',
    ],
    ['write to the agent runtime', 'mount -o remount,rw,bind /.sprite/bin; echo x > /.sprite/bin/agent.js'],
    ['write its own facts', 'mount -o remount,rw,bind /.sprite/machine.json; echo x > /.sprite/machine.json'],
    [
      'enter a namespace of the host',
      'nsenter --target 1 --mount --net=/proc/1/ns/net --user cat /etc/shadow',
    ],
    ['raise the owner of a file to the host', 'echo > /home/f; chown 65536 /home/f'],
  ])('cannot %s', async (_, command) => {
    const { status, output } = await sh(command);
    expect(output).not.toBe('');
    expect(status).not.toBe(0);
  });

  it.each([
    ['bpf', 321, [0, 0, 0]],
    ['perf_event_open', 298, [0, 0, -1, -1, 0]],
    ['keyctl', 250, [0, -3, 0]],
    ['add_key', 248, ['user', 'k', 'v', 1, -3]],
    ['request_key', 249, ['user', 'k', 0, 0]],
    ['open_by_handle_at', 304, [0, 0, 0]],
    ['init_module', 175, [0, 0, '']],
    ['finit_module', 313, [0, '', 0]],
    ['delete_module', 176, ['x', 0]],
    ['kexec_load', 246, [0, 0, 0, 0]],
    ['settimeofday', 164, [0, 0]],
    ['clock_settime', 227, [0, 0]],
    ['reboot', 169, [0, 0, 0, 0]],
    ['swapon', 167, ['/x', 0]],
    ['quotactl', 179, [0, '', 0, 0]],
    ['acct', 163, [0]],
    ['userfaultfd', 323, [0]],
    ['syslog', 103, [3, 0, 0]],
  ])('is refused the system call %s', async (_, number, args) => {
    expect(await syscall(number, ...args)).toBe('EPERM');
  });

  it.each([
    ['io_uring_setup', 425, [1, 0]],
    ['fsopen', 430, ['tmpfs', 0]],
    ['a call of the future', 1000, []],
    ['an AF_ALG socket', 41, [38, 5, 0]],
    ['an AF_VSOCK socket', 41, [40, 1, 0]],
    ['a packet filter socket', 41, [16, 3, 12]],
    ['a family in disguise', 41, [0x1_0000_0026, 5, 0]],
  ])('finds no %s', async (_, number, args) => {
    expect(await syscall(number, ...args)).toBe('ENOSYS');
  });

  it.each([
    ['a stream', [2, 1, 0]],
    ['a unix', [1, 1, 0]],
    ['a route', [16, 3, 0]],
    ['a raw', [2, 3, 1]],
  ])('opens %s socket', async (_, args) => {
    expect(await syscall(41, ...args)).toBe('ok');
  });

  it.each([
    ['mount a tmpfs', 'mkdir -p /t && mount -t tmpfs none /t && echo x > /t/f && umount /t'],
    ['bind a directory', 'mkdir -p /b && mount --bind /home /b && umount /b'],
    [
      'nest an overlay on a tmpfs',
      'mkdir -p /o && mount -t tmpfs none /o && mkdir /o/u /o/w /o/m && ' +
        'mount -t overlay none -o lowerdir=/etc,upperdir=/o/u,workdir=/o/w /o/m && cat /o/m/passwd && umount /o/m && umount /o',
    ],
    ['make a user namespace of its own', 'unshare --user --map-root-user --mount --net id'],
    ['give files away and set their mode', 'echo > /home/g; chown 1000:1000 /home/g && chmod 4755 /home/g'],
    ['become another user', 'setpriv --reuid=1000 --regid=1000 --clear-groups id'],
    ['rename a directory of the image', 'mv /var /var2 && mv /var2 /var'],
    ['make a fifo', 'mknod /home/fifo p'],
  ])('can %s', async (_, command) => {
    expect(await sh(command)).toMatchObject({ status: 0 });
  });

  it('sees only its own processes', async () => {
    const { output } = await sh('ls /proc; cat /proc/1/cmdline');
    const pids = output.split('\n').filter((line) => /^\d+$/.test(line));
    expect(pids.length).toBeLessThan(10);
    expect(output).toContain('/.sprite/bin/ld.so');
  });

  it('finds no file of the host behind any root', async () => {
    await writeFile(join(world.dir, 'secret'), 'host');
    const { status } = await sh(`cat /proc/1/root/${world.dir}/secret /proc/self/root/${world.dir}/secret`);
    expect(status).not.toBe(0);
  });

  it('holds no descriptor of the host but its socket', async () => {
    const links = await fixture.evaluate(
      'sprite_1',
      `const fs = require('node:fs');
       const read = (fd) => { try { return [fs.readlinkSync('/proc/self/fd/' + fd)]; } catch { return []; } };
       return fs.readdirSync('/proc/self/fd').flatMap(read);`,
    );
    if (!Array.isArray(links)) throw new Error('no list of descriptors');
    expect(links).toContainEqual(expect.stringMatching(/^socket:/));
    const foreign = links.filter(
      (link) => !/^(\/dev\/null|socket:|anon_inode:|pipe:|\/proc\/1\/fd$)/.test(link),
    );
    expect(foreign).toEqual([]);
  });

  it('has ids of its own on the host, apart from its sibling', async () => {
    const one = await fixture.evaluate('sprite_1', `return sh('cat /proc/self/uid_map').output`);
    const two = await fixture.evaluate('sprite_2', `return sh('cat /proc/self/uid_map').output`);
    expect(one).toMatch(/^\s*0 \d+\s+65536\s*$/);
    expect(one).not.toBe(two);
  });

  it('has a terminal multiplexer and shared memory of its own', async () => {
    const { output } = await sh('ls /dev; echo hi > /dev/shm/x; cat /dev/shm/x; stat -c %t /dev/null');
    expect(output).not.toMatch(/\b(vda|loop|kmsg|mem|fuse|kvm)\b/);
    expect(await fixture.evaluate('sprite_2', `return sh('ls /dev/shm').output`)).toBe('');
  });
});
