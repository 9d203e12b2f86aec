import { readFile } from 'node:fs/promises';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testServer, uniqueName } from '../server.ts';
import { asRoot, pythonAsRoot } from './inside.ts';

const server = testServer();
const client = new SpritesClient(server.token, { baseURL: server.baseURL });
let sprite: Sprite;

beforeAll(async () => {
  sprite = await client.createSprite(uniqueName('kernel'));
  await sprite.execFile('true');
});

afterAll(async () => {
  await sprite.delete();
});

/** Python that the programs here begin with: raw system calls whose outcome is a word. */
const prelude = `
import ctypes, errno, fcntl, json, mmap, os, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
def outcome(value): return 'ok' if value >= 0 else errno.errorcode.get(ctypes.get_errno(), str(ctypes.get_errno()))
def call(number, *args):
    ctypes.set_errno(0)
    return outcome(libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in args]))
def mount(source, target, kind, flags=0, data=None):
    ctypes.set_errno(0)
    text = [None if part is None else part.encode() for part in (source, target, kind)]
    return outcome(libc.mount(*text, ctypes.c_ulong(flags), data and data.encode()))
def attempt(work):
    try: work(); return 'ok'
    except OSError as error: return errno.errorcode.get(error.errno, '?')
`;

async function run(program: string): Promise<Record<string, string>> {
  return JSON.parse(await pythonAsRoot(sprite, `${prelude}${program}\nprint(json.dumps(result))`));
}

/** Expects every attempt to have failed but those named to have worked, which show that the others could have. */
function expectRefused(result: Record<string, string>, works: readonly string[] = []): void {
  const allowed = Object.keys(result).filter((name) => result[name] === 'ok');
  expect(allowed.sort()).toEqual([...works].sort());
}

describe('root of a sprite and the kernel’s calls', () => {
  it.runIf(process.arch === 'x64')(
    'finds no way round the refused calls by the other call tables',
    async () => {
      const result = await run(`
code = mmap.mmap(-1, 4096, prot=7)
code.write(bytes([0x53, 0x89, 0xf8, 0x89, 0xf3, 0x52, 0x59, 0x31, 0xd2, 0x31, 0xf6, 0x31, 0xff, 0xcd, 0x80, 0x5b, 0xc3]))
entry = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
def i386(number, *args):
    value = entry(number, *args, *[0] * (2 - len(args)))
    return 'ok' if value >= 0 else errno.errorcode.get(-value, str(value))
def alone(work):
    pid = os.fork()
    if pid == 0: os._exit(0 if work() == 'ok' else 1)
    return 'ok' if os.waitpid(pid, 0)[1] == 0 else 'refused'
x32 = 0x40000000
result = {
  'i386 getpid': i386(20), 'i386 unix socket': i386(359, 1, 1),
  'i386 bpf': i386(357), 'i386 perf_event_open': i386(336), 'i386 keyctl': i386(288), 'i386 add_key': i386(286),
  'i386 open_by_handle_at': i386(342), 'i386 userfaultfd': i386(374), 'i386 socketcall': i386(102, 1),
  'i386 init_module': i386(128), 'i386 syslog': i386(103, 3), 'i386 io_uring_setup': i386(425, 1),
  'i386 alg socket': i386(359, 38, 5), 'i386 stime': i386(25), 'i386 kexec_load': i386(283), 'i386 fsopen': i386(430),
  'x32 getpid': alone(lambda: call(x32 | 39)), 'x32 bpf': alone(lambda: call(x32 | 321, 0, 0, 0)),
  'x32 perf_event_open': alone(lambda: call(x32 | 298, 0, 0, -1, -1, 0)),
}`);
      expectRefused(result, ['i386 getpid', 'i386 unix socket']);
    },
  );

  it('loads no packet filter, by netlink or by socket options, whatever the upper half of an argument is', async () => {
    const result = await run(`
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 255)
raw6 = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 255)
value = ctypes.create_string_buffer(4096)
def option(sock, level, name): return call(54, sock.fileno(), level, name, value, 4)
high = 1 << 32
result = {
  'ip tos': option(raw, 0, 1), 'socket priority': option(raw, 1, 12), 'ipv6 dontfrag': option(raw6, 41, 62),
  'ipv6 tclass': option(raw6, 41, 67), 'tables v4': option(raw, 0, 64), 'counters v4': option(raw, 0, 65),
  'tables v6': option(raw6, 41, 64), 'tables arp': option(raw, 0, 96), 'tables bridge': option(raw, 0, 128),
  'tables v4, level': option(raw, high, 64), 'tables v4, name': option(raw, 0, high | 64),
  'netfilter socket': attempt(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)),
  'xfrm socket': attempt(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 6)),
}`);
    expectRefused(result, ['ip tos', 'socket priority', 'ipv6 dontfrag', 'ipv6 tclass']);
    // refused before the kernel's own code sees it, which would say ENOPROTOOPT, EINVAL or EFAULT
    expect(result['tables v4, name']).toBe('ENOSYS');
  });
});

describe('root of a sprite that takes the masks off /proc and /sys', () => {
  it('can write only what belongs to its own namespaces', async () => {
    const { stdout } = await sprite.execFile('sudo', [
      'python3',
      '-c',
      `${prelude}
for mask in ('/proc/sys', '/proc/bus', '/proc/fs', '/proc/irq', '/proc/keys', '/proc/timer_list', '/sys/firmware', '/sys/fs/cgroup', '/sys/kernel/debug', '/sys/kernel/security', '/sys/kernel/tracing'):
    libc.umount2(mask.encode(), 2)
mount(None, '/sys', None, 32 | 4096)
mount(None, '/proc', None, 32 | 4096)
found = []
for root in ('/proc/sys', '/sys', '/proc/fs', '/proc/irq', '/proc/bus'):
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.islink(path) and attempt(lambda: os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))) == 'ok': found.append(path)
for name in os.listdir('/proc'):
    path = '/proc/' + name
    if os.path.isfile(path) and not name.isdigit() and attempt(lambda: os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))) == 'ok': found.append(path)
print('\\n'.join(found))`,
    ]);
    const found = stdout.trim().split('\n');
    // its own network can be set, so a setting that can be would have been found
    expect(found).toContain('/proc/sys/net/ipv4/ip_forward');
    const own =
      /^\/proc\/sys\/(net\/|fs\/mqueue\/|kernel\/(auto_msgmni|domainname|hostname|msg|ns_last_pid|pid_max|sem|shm)|fs\/binfmt_misc)|^\/sys\/(class|devices)\/.*\/?net\/|^\/proc\/mounts$/;
    expect(found.filter((path) => !own.test(path))).toEqual([]);
  });

  it('reads no kernel memory and no kernel log', async () => {
    const result = await run(`
libc.umount2(b'/proc/kcore', 2)
def read(path): return attempt(lambda: open(path, 'rb').read(1))
result = {path: read(path) for path in ('/proc/version', '/proc/kcore', '/proc/kmsg', '/proc/timer_list', '/proc/kpagecount',
  '/proc/kpageflags', '/proc/vmallocinfo', '/proc/slabinfo', '/dev/mem', '/dev/kmsg', '/sys/kernel/debug/x')}`);
    expectRefused(result, ['/proc/version']);
  });
});

describe('root of a sprite and control groups', () => {
  it('sees its own group only, and can change no limit, make no group and name no release agent', async () => {
    const result = await run(`
os.makedirs('/run/v2', exist_ok=True)
result = {'mount of version 2': mount('x', '/run/v2', 'cgroup2')}
if result['mount of version 2'] == 'ok':
    result['processes of others'] = 'ok' if '0' in open('/run/v2/cgroup.procs').read().split() else 'none'
    result['groups of others'] = 'ok' if [e for e in os.scandir('/run/v2') if e.is_dir()] else 'none'
    result['group of its own'] = attempt(lambda: os.mkdir('/run/v2/mine'))
    for name in ('cgroup.procs', 'cgroup.freeze', 'cgroup.kill', 'cgroup.subtree_control', 'cgroup.max.descendants', 'memory.max', 'pids.max'):
        result['v2 ' + name] = attempt(lambda: os.close(os.open('/run/v2/' + name, os.O_WRONLY)))
for controller in ('memory', 'pids', 'devices', 'cpu', 'freezer', 'cpuset'):
    target = '/run/v1-' + controller
    os.makedirs(target, exist_ok=True)
    if mount('x', target, 'cgroup', 0, controller) != 'ok': continue
    result[controller + ' group of its own'] = attempt(lambda: os.mkdir(target + '/mine'))
    for name in os.listdir(target):
        result[controller + ' ' + name] = attempt(lambda: os.close(os.open(target + '/' + name, os.O_WRONLY)))
os.makedirs('/run/own', exist_ok=True)
result['hierarchy of its own'] = mount('x', '/run/own', 'cgroup', 0, 'none,name=mine')
result['release agent'] = mount('x', '/run/own', 'cgroup', 0, 'memory,release_agent=/bin/true')
open('/proc/self/cgroup').read()`);
    expectRefused(result, result['mount of version 2'] === 'ok' ? ['mount of version 2'] : []);
    const { stdout } = await sprite.execFile('cat', ['/proc/self/cgroup']);
    expect(
      stdout
        .trim()
        .split('\n')
        .every((line) => line.endsWith(':/')),
    ).toBe(true);
  });
});

describe('root of a sprite and mounts', () => {
  it('can neither unlock nor write what the host lends it', async () => {
    const before = await readFile('/proc/self/mountinfo', 'utf8');
    const result = await run(`
remount, bind = 32, 4096
result = {
  'own tmpfs': mount('x', '/mnt', 'tmpfs'), 'agent writable': mount(None, '/.sprite/bin', None, remount | bind),
  'agent over itself': mount('/.sprite/bin', '/mnt', None, bind) and mount(None, '/mnt', None, remount | bind),
  'root with devices': mount(None, '/', None, remount | bind),
}
mount(None, '/.sprite/machine.json', None, remount | bind)
for path in ('/.sprite/bin/agent.js', '/.sprite/bin/node', '/.sprite/bin/ld.so', '/.sprite/machine.json'):
    result['write ' + path] = attempt(lambda: os.close(os.open(path, os.O_WRONLY)))
    result['chmod ' + path] = attempt(lambda: os.chmod(path, 0o777))
    result['chown ' + path] = attempt(lambda: os.chown(path, 0, 0))
for name in ('null', 'zero', 'tty', 'urandom'):
    result['chmod /dev/' + name] = attempt(lambda: os.chmod('/dev/' + name, 0o644))
for kind in ('ext4', 'xfs', 'erofs', 'squashfs', 'btrfs', 'debugfs', 'tracefs', 'securityfs', 'pstore', 'efivarfs', 'devtmpfs', 'configfs', '9p', 'nfs'):
    result['mount ' + kind] = mount('none', '/srv', kind)
for name in ('trusted.overlay.opaque', 'trusted.overlay.redirect', 'trusted.overlay.metacopy'):
    result[name] = attempt(lambda: os.setxattr('/home', name, b'y'))
result['whiteout'] = attempt(lambda: os.mknod('/home/whiteout', 0o20644, 0))
libc.umount2(b'/mnt', 2)`);
    expectRefused(result, ['own tmpfs']);
    // what it mounts is seen by nobody else
    await asRoot(
      sprite,
      'mkdir -p /seen-by-the-host && mount --make-rshared / && mount -t tmpfs x /seen-by-the-host',
    );
    expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain('seen-by-the-host');
    expect(before).not.toContain('seen-by-the-host');
  });

  it('cannot leave by chroot, pivot_root or the root of another process', async () => {
    const { said } = await asRoot(
      sprite,
      `mkdir -p /tmp/jail && cd / && python3 - <<'END'
import os
top = os.open('/', os.O_RDONLY)
os.chroot('/tmp/jail')
os.fchdir(top)
for _ in range(64): os.chdir('..')
os.chroot('.')
print('machine' if os.path.exists('/.sprite/machine.json') else 'OUTSIDE')
END
for pid in 1 $(pgrep -f agent | head -n 3); do ls /proc/$pid/root/.sprite/machine.json; done`,
    );
    expect(said).toContain('machine\n');
    expect(said).not.toContain('OUTSIDE');
  });
});

describe('the socket on which the agent listens', () => {
  it('tells root of its sprite nothing of the host’s network, and gives no hold on the server', async () => {
    const result = await run(`
agent = 1
process = libc.syscall(434, agent, 0)
result = {}
accepted = 0
for number in range(3, 64):
    fd = libc.syscall(438, process, number, 0)
    if fd < 0 or not os.readlink(f'/proc/self/fd/{fd}').startswith('socket:'): continue
    sock = socket.socket(fileno=fd)
    if sock.family != socket.AF_UNIX: continue
    # the socket for programs inside is the sprite's own from end to end
    if sock.getsockname() == '/.sprite/api.sock': continue
    names = []
    for index in range(1, 2000):
        try: names.append(fcntl.ioctl(fd, 0x8910, struct.pack('16si20x', b'', index))[:16].rstrip(b'\\0').decode())
        except OSError: pass
    result[f'{number} interfaces'] = 'none' if set(names) <= {'lo'} else 'ok'
    result[f'{number} its network'] = attempt(lambda: fcntl.ioctl(fd, 0x894c, 0))
    result[f'{number} its file'] = attempt(lambda: fcntl.ioctl(fd, 0x89e0, 0))
    if number == 3: continue
    accepted += 1
    peer = sock.getsockopt(1, 77)
    result[f'{number} signal'] = call(424, peer, 0, 0, 0)
    result[f'{number} descriptor'] = call(438, peer, 0, 0)
    for kind in (0x20000, 0x40000000, 0x20000000, 0x10000000):
        result[f'{number} setns {kind:x}'] = call(308, peer, kind)
    for request in range(0xff01, 0xff0c):
        result[f'{number} ioctl {request:x}'] = attempt(lambda: fcntl.ioctl(peer, request, 0))
result['server asked'] = 'ok' if accepted > 0 else 'none'`);
    expectRefused(result, ['server asked']);
  });
});
