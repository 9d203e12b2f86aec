import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testServer, uniqueName } from '../server.ts';
import { asRoot, pythonAsRoot } from './inside.ts';

const server = testServer();
const client = new SpritesClient(server.token, { baseURL: server.baseURL });
let sprite: Sprite;
let sibling: Sprite;
/** a directory of the host with one file in it */
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp('/var/tmp/host-only-');
  await writeFile(path.join(folder, 'secret'), 'host secret');
  [sprite, sibling] = await Promise.all([
    client.createSprite(uniqueName('inmate')),
    client.createSprite(uniqueName('sibling')),
  ]);
  await Promise.all([sprite.execFile('true'), sibling.execFile('true')]);
});

afterAll(async () => {
  await Promise.all([sprite.delete(), sibling.delete()]);
  await rm(folder, { recursive: true });
});

describe('root of a sprite', () => {
  it('cannot read a file of the host by any path', async () => {
    const tries = ['', '/proc/1/root', '/proc/self/root', '/../../..', '/.sprite/bin/../../..'];
    for (const prefix of tries) {
      const { exitCode, said } = await asRoot(sprite, `cat '${prefix}${folder}/secret'`);
      expect(exitCode, said).not.toBe(0);
    }
    const { said } = await asRoot(sprite, `find / -xdev -name secret -path '*host-only-*' 2>/dev/null`);
    expect(said).toBe('');
  });

  it('cannot make or mount a device of the host', async () => {
    const line = `
      while read major minor; do
        mknod /tmp/disk-$major-$minor b $major $minor && head -c 1 /tmp/disk-$major-$minor && echo READ
      done <<END
      $(awk 'NR > 2 { print $1, $2 }' /proc/partitions | head -n 4)
      END
      for device in vda sda nvme0n1 loop0; do mount -t ext4 /dev/$device /mnt && echo MOUNTED; done
      ls /dev`;
    const { said } = await asRoot(sprite, line.replaceAll('\n      ', '\n'));
    expect(said).not.toContain('READ');
    expect(said).not.toContain('MOUNTED');
    expect(said).not.toMatch(/^(vd|sd|nvme|loop|mem|kmsg|kvm)/m);
  });

  it('cannot make the devices of memory and kernel messages work', async () => {
    const { said } = await asRoot(
      sprite,
      'mknod /tmp/mem c 1 1 && head -c1 /tmp/mem && echo READ; mknod /tmp/kmsg c 1 11 && head -c1 /tmp/kmsg && echo READ; dmesg && echo READ; head -c1 /proc/kcore && echo READ',
    );
    expect(said).not.toContain('READ');
  });

  it('cannot change the kernel: modules, settings, host name, clock', async () => {
    const before = await readFile('/proc/sys/kernel/core_pattern', 'utf8');
    const { said } = await asRoot(
      sprite,
      `for file in kernel/core_pattern kernel/hostname vm/drop_caches kernel/panic kernel/sysrq fs/file-max; do echo x >/proc/sys/$file && echo WROTE $file; done
       echo b >/proc/sysrq-trigger && echo WROTE; echo 1 >/sys/kernel/uevent_helper && echo WROTE; date -s '2001-01-01' && echo WROTE; mount -o remount,rw /sys && echo WROTE`,
    );
    expect(said.replaceAll('WROTE kernel/hostname', '')).not.toContain('WROTE');
    expect(await readFile('/proc/sys/kernel/core_pattern', 'utf8')).toBe(before);
  });

  it('sees no process of the host or of another sprite', async () => {
    const marker = `7${String(process.pid).padStart(7, '0')}`;
    const onHost = spawn('sleep', [marker]);
    try {
      await sibling.execFile('sh', ['-c', `sleep ${marker} >/dev/null 2>&1 &`]);
      const { said } = await asRoot(sprite, 'cat /proc/*/cmdline | tr "\\0" " "; ps aux');
      expect(said).not.toContain(marker);
    } finally {
      onHost.kill();
    }
  });

  it('cannot signal, trace or enter anything outside', async () => {
    const { said } = await asRoot(
      sprite,
      `for kind in mnt net pid user ipc uts; do nsenter --target 1 --$kind true 2>/dev/null; readlink /proc/1/ns/$kind; done; kill -0 ${process.pid} && echo REACHED`,
    );
    expect(said).not.toContain('REACHED');
    for (const kind of ['mnt', 'net', 'pid', 'user', 'ipc', 'uts']) {
      expect(said).not.toContain(await readlink(`/proc/self/ns/${kind}`));
    }
  });

  it('holds no open file in a command but its own three', async () => {
    const line = 'for n in 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do readlink /proc/$$/fd/$n; done; true';
    expect((await sprite.execFile('sh', ['-c', line])).stdout).toBe('');
  });

  it('is refused the calls that reach too deep into the kernel', async () => {
    const program = `
import ctypes, errno, json
libc = ctypes.CDLL(None, use_errno=True)
calls = { 'bpf': (321, 0, 0, 0), 'perf_event_open': (298, 0, 0, -1, -1, 0), 'add_key': (248, 0, 0, 0, 0, 0),
  'request_key': (249, 0, 0, 0, 0), 'keyctl': (250, 0, -3, 0), 'open_by_handle_at': (304, -100, 0, 0),
  'init_module': (175, 0, 0, 0), 'finit_module': (313, -1, 0, 0), 'delete_module': (176, 0, 0),
  'kexec_load': (246, 0, 0, 0, 0), 'kexec_file_load': (320, -1, -1, 0, 0, 0), 'userfaultfd': (323, 0),
  'io_uring_setup': (425, 1, 0), 'clock_settime': (227, 0, 0), 'settimeofday': (164, 0, 0), 'adjtimex': (159, -1),
  'reboot': (169, 0, 0, 0, 0), 'swapon': (167, 0, 0), 'acct': (163, 0), 'quotactl': (179, 0, 0, 0, 0),
  'iopl': (172, 3), 'ioperm': (173, 0, 1, 1), 'lookup_dcookie': (212, 0, 0, 0), 'syslog': (103, 3, 0, 0),
  'AF_ALG socket': (41, 38, 5, 0), 'AF_VSOCK socket': (41, 40, 1, 0), 'packet socket of all protocols': (41, 17, 3, 0) }
result = {}
for name, (number, *args) in calls.items():
    ctypes.set_errno(0)
    value = libc.syscall(number, *[ctypes.c_long(a) for a in args])
    result[name] = 'allowed' if value >= 0 else errno.errorcode.get(ctypes.get_errno(), '?')
print(json.dumps(result))`;
    const result: Record<string, string> = JSON.parse(await pythonAsRoot(sprite, program));
    const { 'packet socket of all protocols': _own, adjtimex: _fault, ...deep } = result;
    for (const [name, outcome] of Object.entries(deep)) {
      expect(['EPERM', 'ENOSYS', 'EACCES', 'EAFNOSUPPORT'], name).toContain(outcome);
    }
  });

  it('still has what people need: sudo, a tmpfs, another user, a nested namespace', async () => {
    expect(await asRoot(sprite, 'mkdir -p /t && mount -t tmpfs none /t && umount /t')).toMatchObject({
      exitCode: 0,
    });
    expect(await asRoot(sprite, 'useradd -m other && su other -c id')).toMatchObject({ exitCode: 0 });
    expect(await asRoot(sprite, 'unshare --mount --uts true')).toMatchObject({ exitCode: 0 });
  });
});

describe('what root of a sprite puts in its file tree', () => {
  const traps = [
    [
      'links to the host in place of files the host writes',
      (target: string) =>
        `for file in hostname hosts resolv.conf machine-id; do rm -f /etc/$file 2>/dev/null; ln -sf ${target} /etc/$file; done`,
    ],
    ['an endless file as the environment', () => 'ln -sf /dev/zero /etc/environment'],
    [
      'a pipe nobody writes as the accounts',
      () => 'rm -f /etc/passwd /etc/group; mkfifo /etc/passwd /etc/group',
    ],
    ['a directory as the accounts', () => 'rm -f /etc/passwd; mkdir -p /etc/passwd/etc'],
    ['a pipe nobody writes as the environment', () => 'rm -f /etc/environment; mkfifo /etc/environment'],
    ['a link in place of the home directory', () => 'mv /home/sprite /home/old; ln -s /nowhere /home/sprite'],
    [
      'links in place of the mount points',
      () => 'for d in mnt srv opt media; do rm -rf /$d; ln -s / /$d; done',
    ],
  ] as const;

  it.each(traps)('%s: changes nothing outside, and the sprite still starts', async (_, trap) => {
    const target = path.join(folder, 'secret');
    const trapped = await client.createSprite(uniqueName('trap'));
    try {
      await asRoot(trapped, trap(target));
      await trapped.restart();
      const { stdout } = await trapped.execFile('/bin/echo', ['up'], { cwd: '/' });
      expect(stdout).toBe('up\n');
      expect(await readFile(target, 'utf8')).toBe('host secret');
      expect(await readdir(folder)).toEqual(['secret']);
    } finally {
      await trapped.delete();
    }
  });
});
