import type { NetworkPolicy, Sprite } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandLine } from '../cli/command-line.ts';
import { asRoot, pythonAsRoot } from '../isolation/inside.ts';
import { openPolicyLab, type PolicyLab } from './lab.ts';

const policy: NetworkPolicy = { rules: [{ domain: 'good.test', action: 'allow' }] };

const connectScript = `
import socket, sys
for target in sys.argv[1:]:
    try:
        s = socket.create_connection((target, 80), timeout=2); s.sendall(b'hello'); s.recv(10); print('reached', end=' ')
    except socket.gaierror: print('unknown', end=' ')
    except OSError: print('refused', end=' ')
`;

// Keeps a connection to the address open and says, for each line, whether it still echoes.
const holdScript = (address: string, mark: string): string => `
import os, socket, time
s = socket.create_connection(('${address}', 80), timeout=3)
open('${mark}', 'w').close()
while os.path.exists('${mark}'): time.sleep(0.05)
try:
    s.sendall(b'x'); print('alive' if s.recv(10) else 'ended')
except OSError: print('cut')
`;

let lab: PolicyLab;
let sprite: Sprite;

beforeAll(async () => {
  lab = await openPolicyLab();
  sprite = await lab.client.createSprite('policy-life');
  await sprite.execFile('true');
});
afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
});

async function connect(one: Sprite, ...targets: readonly string[]): Promise<string> {
  return (await one.execFile('python3', ['-c', connectScript, ...targets])).stdout.trim();
}

describe('a network policy', () => {
  it('cuts the open connections that it denies, and is seen inside at once', async () => {
    const { good, evil } = lab.addresses;
    await connect(sprite, 'good.test', 'evil.test');
    const kept = sprite.execFile('python3', ['-c', holdScript(good, '/tmp/kept')]);
    const cut = sprite.execFile('python3', ['-c', holdScript(evil, '/tmp/cut')]);
    await sprite.execFile('sh', ['-c', 'while ! [ -e /tmp/kept -a -e /tmp/cut ]; do sleep 0.05; done']);
    await sprite.updateNetworkPolicy(policy);
    await sprite.execFile('rm', ['/tmp/kept', '/tmp/cut']);
    expect([(await kept).stdout, (await cut).stdout]).toEqual(['alive\n', 'cut\n']);
    const file = '/.sprite/policy/network.json';
    expect(JSON.parse((await sprite.execFile('cat', [file])).stdout)).toEqual(policy);
    expect(
      (await asRoot(sprite, `echo >> ${file}; rm -f ${file}; touch /.sprite/policy/x`)).exitCode,
    ).not.toBe(0);
    expect(JSON.parse((await sprite.execFile('cat', [file])).stdout)).toEqual(policy);
  });

  it('holds while the server is dead, and after it came back', async () => {
    expect(await connect(sprite, 'good.test', 'evil.test', lab.addresses.evil)).toBe(
      'reached unknown refused',
    );
    const hold = `cat > /tmp/hold.py <<"END"\n${holdScript(lab.addresses.good, '/tmp/held')}END\n`;
    const begin =
      'setsid python3 /tmp/hold.py > /tmp/held-said & while ! [ -e /tmp/held ]; do sleep 0.05; done';
    await sprite.execFile('sh', ['-c', hold + begin]);
    await sprite.execFile('sh', ['-c', `cat > /tmp/connect.py <<"END"\n${connectScript}END`]);
    const script = `sleep 1.5; python3 /tmp/connect.py ${lab.addresses.evil} ${lab.addresses.good} > /tmp/said 2>&1; touch /tmp/end`;
    const command = sprite.spawn('setsid', ['sh', '-c', script], {
      detachable: true,
      maxRunAfterDisconnect: '60s',
    });
    await new Promise<void>((resolve) => command.once('spawn', resolve));
    command.once('error', () => {});
    await lab.server.kill9();
    await new Promise((resolve) => setTimeout(resolve, 2500));
    await lab.server.restart();
    const said = await sprite.execFile('sh', [
      '-c',
      'while ! [ -e /tmp/end ]; do sleep 0.1; done; cat /tmp/said',
    ]);
    expect(said.stdout).toBe('refused reached ');
    expect(await connect(sprite, 'good.test', 'evil.test', lab.addresses.evil)).toBe(
      'reached unknown refused',
    );
    expect(await sprite.getNetworkPolicy()).toEqual(policy);
    // a new policy cuts only what it denies, also of what was opened before
    await sprite.updateNetworkPolicy({ rules: [{ domain: '*.test', action: 'allow' }] });
    await sprite.updateNetworkPolicy(policy);
    const end = 'rm /tmp/held; while ! [ -s /tmp/held-said ]; do sleep 0.05; done; cat /tmp/held-said';
    expect((await sprite.execFile('sh', ['-c', end])).stdout).toBe('alive\n');
  });

  it('holds from the first moment of a new machine, survives a restore, and is copied by a fork', async () => {
    await sprite.checkpoint('restricted');
    await sprite.updateNetworkPolicy({
      rules: [
        { domain: '*.test', action: 'allow' },
        { domain: 'evil.test', action: 'deny' },
      ],
    });
    await sprite.restore('v1');
    expect(await connect(sprite, 'api.good.test', 'evil.test')).toBe('reached unknown');
    await sprite.updateNetworkPolicy(policy);
    await sprite.sleep({ to: 'cold' });
    await sprite.getNetworkPolicy();
    await sprite.egressLog();
    expect((await lab.client.getSprite(sprite.name)).status).toBe('cold');
    expect(await connect(sprite, lab.addresses.evil, 'evil.test', 'good.test')).toBe(
      'refused unknown reached',
    );
    const fork = await sprite.fork('policy-fork');
    expect(await fork.getNetworkPolicy()).toEqual(policy);
    expect(await connect(fork, lab.addresses.evil, 'good.test')).toBe('refused reached');
    await fork.delete();
  });

  it('observes, suggests and logs on the command line', async () => {
    await using cli = await openCli();
    const name = ['-s', sprite.name];
    expect((await cli.run(['policy', 'set', ...name, '--observe'])).code).toBe(0);
    expect(await connect(sprite, 'good.test', 'evil.test', lab.addresses.evil)).toBe(
      'reached reached reached',
    );
    const suggested = await cli.run(['policy', 'suggest', ...name, '--json']);
    expect(JSON.parse(suggested.text).rules).toEqual(
      expect.arrayContaining([{ domain: 'evil.test', action: 'allow' }, ...policy.rules]),
    );
    const set = await cli.run(['policy', 'set', ...name, '-'], { input: JSON.stringify(policy) });
    expect(set).toMatchObject({ code: 0 });
    expect(await connect(sprite, 'good.test', 'evil.test', lab.addresses.evil)).toBe(
      'reached unknown refused',
    );
    const log = JSON.parse((await cli.run(['events', '--egress', '--json', ...name])).text);
    expect(log).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'evil.test', verdict: 'deny' }),
        expect.objectContaining({ name: 'good.test', verdict: 'allow', addresses: [lab.addresses.good] }),
        expect.objectContaining({ addresses: [`${lab.addresses.evil} tcp/80`], verdict: 'deny' }),
      ]),
    );
    expect(log.find((entry: { bytesReceived?: number }) => (entry.bytesReceived ?? 0) > 100)).toBeDefined();
    const shown = await cli.run(['policy', 'log', ...name]);
    expect(shown.text).toMatch(/deny +\d+ +- +- +evil\.test/);
    expect(shown.stderr).toMatch(
      /^DNS: [1-9]\d* questions, 0 too many; [1-9]\d* bytes asked, [1-9]\d* answered\n$/,
    );
    expect((await cli.run(['policy', ...name])).text).toBe('allow    good.test\n');
    const bad = await cli.run(['policy', 'set', ...name, '--allow', 'a..b']);
    expect([bad.code, bad.stderr]).toEqual([1, expect.stringContaining('rules.0: the domain "a..b"')]);
    expect((await cli.run(['policy', 'set', ...name])).code).toBe(2);
    expect((await cli.run(['policy', 'set', ...name, '--clear'])).code).toBe(0);
    expect(await connect(sprite, 'evil.test')).toBe('reached');
  });
});

describe('the policies of a machine', () => {
  it('take rights from root at its next start, and give them back', async () => {
    const rights = 'grep -E "^(CapBnd|NoNewPrivs)" /proc/self/status | cut -f 2 | xargs';
    const usual = (await sprite.execFile('sh', ['-c', rights])).stdout.trim();
    await sprite.updatePrivilegesPolicy({ profile: 'minimal', devices: ['null'], noNewPrivileges: true });
    expect(await sprite.getPrivilegesPolicy()).toEqual({
      profile: 'minimal',
      devices: ['null'],
      noNewPrivileges: true,
    });
    expect((await sprite.execFile('sh', ['-c', rights])).stdout.trim()).toBe(usual);
    await sprite.sleep({ to: 'cold' });
    expect((await sprite.execFile('sh', ['-c', rights])).stdout.trim()).toBe('00000000000000eb 1');
    expect((await sprite.execFile('sh', ['-c', 'sudo -n true || echo no; id -un'])).stdout).toBe(
      'no\nsprite\n',
    );
    await sprite.updatePrivilegesPolicy({ profile: 'standard' });
    await sprite.sleep({ to: 'cold' });
    const mount = await asRoot(sprite, 'mount -t tmpfs none /mnt');
    expect(mount.exitCode).not.toBe(0);
    expect((await asRoot(sprite, 'id -un')).said).toBe('root\n');
    await sprite.deletePrivilegesPolicy();
    expect(await sprite.getPrivilegesPolicy()).toEqual({});
    await sprite.sleep({ to: 'cold' });
    expect((await sprite.execFile('sh', ['-c', rights])).stdout.trim()).toBe(usual);
    expect((await asRoot(sprite, 'mount -t tmpfs none /mnt')).exitCode).toBe(0);
    const unknown = { profile: 'minimal', devices: ['kvm'] };
    // @ts-expect-error: not one of the devices there are
    await expect(sprite.updatePrivilegesPolicy(unknown)).rejects.toMatchObject({
      errorCode: 'invalid_policy',
    });
  });

  it('limit memory at once, and never above what the server gives', async () => {
    const allocate = (mib: number): Promise<{ stdout: string }> =>
      sprite.execFile('sh', [
        '-c',
        `python3 -c 'b = bytearray(${mib} << 20); print(len(b) >> 20)' || echo killed`,
      ]);
    expect((await allocate(300)).stdout).toBe('300\n');
    await sprite.updateResourcesPolicy({ memory: { limitMB: 200 } });
    expect(await sprite.getResourcesPolicy()).toEqual({ memory: { limitMB: 200 } });
    expect((await allocate(300)).stdout).toContain('killed');
    await sprite.sleep({ to: 'cold' });
    expect((await allocate(300)).stdout).toContain('killed');
    const autoscale = { memory: { limitMB: 200, autoscale: true } };
    await sprite.updateResourcesPolicy(autoscale);
    expect(await sprite.getResourcesPolicy()).toEqual(autoscale);
    expect((await allocate(300)).stdout).toBe('300\n');
    await sprite.sleep({ to: 'cold' });
    expect((await allocate(300)).stdout).toBe('300\n');
    await sprite.deleteResourcesPolicy();
    expect((await allocate(300)).stdout).toBe('300\n');
    const hold = "b = bytearray(300 << 20); open('/tmp/full', 'w').close(); import time; time.sleep(60)";
    const holder = sprite.spawn('python3', ['-c', hold]);
    holder.on('error', () => {});
    await sprite.execFile('sh', ['-c', 'while ! [ -e /tmp/full ]; do sleep 0.05; done']);
    await expect(sprite.updateResourcesPolicy({ memory: { limitMB: 150 } })).rejects.toThrow(
      'uses more than 150 MiB',
    );
    holder.kill('SIGKILL');
    await expect(sprite.updateResourcesPolicy({ memory: { limitMB: 1 } })).rejects.toMatchObject({
      errorCode: 'invalid_policy',
    });
    await expect(sprite.updateResourcesPolicy({ memory: { limitMB: 10 ** 8 } })).rejects.toMatchObject({
      errorCode: 'invalid_policy',
    });
    expect(await sprite.getResourcesPolicy()).toEqual({});
  });
});

describe('root in a restricted sprite', () => {
  it('asks no other sprite’s name server, and has no other way out', async () => {
    await sprite.updateNetworkPolicy(policy);
    const script = `
import socket, struct
q = b'\\x12\\x34\\x01\\x00\\x00\\x01' + bytes(6) + b'\\x04evil\\x04test\\0\\0\\1\\0\\1'
for server in ('${lab.addresses.resolver}', '127.0.0.1', '8.8.8.8'):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1)
    try: s.connect((server, 53)); s.send(q); s.recv(100); print('answered', server)
    except OSError: pass
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP); s.settimeout(1)
try:
    s.sendto(b'\\x08\\x00\\xf7\\xff' + bytes(4), ('${lab.addresses.evil}', 0))
    while True:
        if s.recv(100)[20] == 0: print('ping answered')
except OSError: print('silence')
`;
    expect(await pythonAsRoot(sprite, script)).toBe('silence');
    await asRoot(
      sprite,
      'umount -l /.sprite/policy; mount -t tmpfs none /.sprite/policy; nft flush ruleset; iptables -F',
    );
    expect(await connect(sprite, lab.addresses.evil, 'evil.test', 'good.test')).toBe(
      'refused unknown reached',
    );
  });
});

async function openCli(): Promise<CommandLine & AsyncDisposable> {
  const { baseUrl, token } = lab.server;
  const cli = await CommandLine.openFor({ baseURL: baseUrl, token });
  return Object.assign(cli, { [Symbol.asyncDispose]: () => cli.close() });
}
