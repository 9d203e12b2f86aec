import { setTimeout as sleep } from 'node:timers/promises';
import type { EgressDecision } from '@sprites/core';
import { runTool } from '@sprites/linux';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { LinuxNetwork } from './linux-network.ts';
import { openNetwork } from './open-network.ts';
import { allow, ask, connect, echo, holdScript, plugged, tryToConnect } from './test-egress.ts';
import { closeLab, makeDirectory, openLab, startNeighbour, startProgram } from './test-lab.ts';
import { zoneServer } from './test-zone.ts';

const resolver = '198.51.100.2';
const [good, evil, other] = ['198.51.100.3', '198.51.100.4', '198.51.100.5'];

const many = Array.from({ length: 40 }, (_, index) => [1, `198.51.100.${20 + index}`, 60]);
const zone = {
  'good.test': [[1, good, 60]],
  'evil.test': [[1, evil, 60]],
  '*.wild.test': [[1, other, 60]],
  'brief.test': [[1, other, 0]],
  'alias.test': [[5, 'hop.cdn.test', 60]],
  'hop.cdn.test': [[5, 'edge.cdn.test', 0]],
  'edge.cdn.test': [[1, other, 0]],
  'many.test': many,
  'rebind.test': [[1, '192.168.7.2', 60]],
  'host.test': [[1, '198.51.100.1', 60]],
  'metadata.test': [[1, '169.254.169.254', 60]],
  'mixed.test': [
    [1, good, 60],
    [1, '10.88.0.9', 60],
  ],
  'xn--bcher-kva.test': [[1, good, 60]],
};

// Asks for a stream, waits for the word, and tells whether the stream still comes.
const listenScript = (address: string) => `
import socket, sys, time
s = socket.create_connection(('${address}', 80), timeout=2); s.sendall(b'stream\\n'); s.recv(10); print('open', flush=True)
for line in sys.stdin:
    s.settimeout(0.6)
    try:
        while True:
            s.recv(4096)
            end = time.monotonic() + 0.4
            s.setblocking(True); s.settimeout(0.6)
            if s.recv(4096) and time.monotonic() < end: got = 'stream'; print(got, flush=True); break
    except OSError: print('silence', flush=True)
`;

// Sends SYN and data without a connection through a raw socket, and waits for any answer from there.
const rawScript = (address: string) => `
import socket, struct, sys
def checksum(b):
    s = sum(struct.unpack('!%dH' % (len(b) // 2), b)); s = (s >> 16) + (s & 0xffff); return ~(s + (s >> 16)) & 0xffff
src = '10.88.0.16'; out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
listen = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP); listen.settimeout(0.7)
for flags in (2, 16, 24, 1, 4):
    tcp = struct.pack('!HHIIBBHHH', 4444, 80, 1, 1, 80, flags, 8192, 0, 0)
    pseudo = socket.inet_aton(src) + socket.inet_aton('${address}') + struct.pack('!BBH', 0, 6, len(tcp))
    tcp = tcp[:16] + struct.pack('!H', checksum(pseudo + tcp)) + tcp[18:]
    ip = struct.pack('!BBHHHBBH4s4s', 69, 0, 40, 1, 0, 64, 6, 0, socket.inet_aton(src), socket.inet_aton('${address}'))
    out.sendto(ip + tcp, ('${address}', 0))
try:
    while True:
        packet = listen.recv(100)
        # a reset for what has no connection is the host's own answer
        if packet[12:16] == socket.inet_aton('${address}') and not packet[33] & 4: print('answered'); sys.exit()
except OSError: print('silence')
`;

const decisions: EgressDecision[] = [];
const warnings: string[] = [];
const opened: LinuxNetwork[] = [];
let stateDir = '';
const log = { info: () => undefined, warn: (_: object, message: string) => warnings.push(message) };

async function open(options: Partial<Parameters<typeof openNetwork>[0]> = {}): Promise<LinuxNetwork> {
  const { signal } = new AbortController();
  const network = await openNetwork({
    range: '10.88.0.0/16',
    instance: 'aaaa0003',
    stateDir,
    upstreams: [resolver],
    signal,
    log,
    ...options,
  });
  network.observe((decision) => decisions.push(decision));
  opened.push(network);
  return network;
}

describe.skipIf(process.getuid?.() !== 0)('a network policy', () => {
  beforeAll(async () => {
    await openLab();
    stateDir = makeDirectory();
    const internet = await startNeighbour('uplink', '198.51.100.1/24', `${resolver}/24`);
    for (let last = 3; last < 70; last += 1) {
      await internet.run(['ip', 'addr', 'add', `198.51.100.${last}/24`, 'dev', 'eth0']);
    }
    await startProgram(internet, zoneServer.replace('ZONE', JSON.stringify(zone)));
    const intranet = await startNeighbour('lan', '192.168.7.1/24', '192.168.7.2/24');
    await startProgram(intranet, zoneServer.replace('ZONE', '{}'));
  });
  afterEach(async () => {
    for (const network of opened.splice(0).reverse()) await network.release();
    decisions.length = 0;
    expect(warnings.splice(0)).toEqual([]);
  });
  afterAll(closeLab);

  it('lets allowed names through, by their addresses, and refuses the others and raw addresses', async () => {
    const sprite = await plugged(await open(), 0, allow('good.test', '*.wild.test'));
    expect(await tryToConnect(sprite, good)).toBe('unreachable');
    expect(await ask(sprite, 'good.test')).toBe('ok 1');
    expect(await connect(sprite, good)).toBe('reached');
    expect(await ask(sprite, 'evil.test')).toBe('refused 0');
    expect(await ask(sprite, 'evil.test', { type: 28 })).toBe('refused 0');
    expect(await ask(sprite, 'evil.test', { proto: 'tcp' })).toBe('refused 0');
    expect(await connect(sprite, evil)).toBe('refused');
    expect(await ask(sprite, 'a.wild.test', { proto: 'tcp' })).toBe('ok 1');
    expect(await connect(sprite, other)).toBe('reached');
    expect(await ask(sprite, 'wild.test')).toBe('refused 0');
  });

  it('follows aliases, takes every address, and outlives a time to live of none', async () => {
    const sprite = await plugged(await open(), 1, allow('alias.test', 'many.test', 'brief.test'));
    expect(await ask(sprite, 'alias.test')).toBe('ok 3');
    expect(await connect(sprite, other)).toBe('reached');
    expect(await ask(sprite, 'many.test')).toMatch(/truncated/);
    expect(await ask(sprite, 'many.test', { proto: 'tcp' })).toBe('ok 40');
    for (const last of [20, 41, 59]) expect(await connect(sprite, `198.51.100.${last}`)).toBe('reached');
    expect(await ask(sprite, 'edge.cdn.test')).toBe('refused 0');
  });

  it('closes an address when its time is over, and lets open connections go on', async () => {
    const network = await open({ leastMs: 800 });
    const sprite = await plugged(network, 2, allow('brief.test'));
    await ask(sprite, 'brief.test');
    const held = await startProgram(sprite, holdScript(other));
    expect(await echo(held, 'one')).toBe('one');
    await sleep(1500);
    expect(await connect(sprite, other)).toBe('refused');
    expect(await echo(held, 'two')).toBe('two');
    expect(await ask(sprite, 'brief.test')).toBe('ok 1');
    expect(await connect(sprite, other)).toBe('reached');
  });

  it.each(['rebind.test', 'host.test', 'metadata.test', 'mixed.test'])(
    'refuses the allowed name %s when it leads to the host or a private address',
    async (name) => {
      const sprite = await plugged(await open(), 3, allow('*'));
      const isHost = name === 'host.test';
      expect(await ask(sprite, name)).toBe(isHost ? 'ok 1' : 'refused 0');
      for (const address of ['192.168.7.2', '198.51.100.1', '169.254.169.254', '10.88.0.9', '10.88.0.1']) {
        expect(await connect(sprite, address), address).toBe('refused');
      }
      expect(decisions.map(({ verdict }) => verdict)).toEqual([isHost ? 'allow' : 'private']);
    },
  );

  it('cuts open connections to what a new policy denies, both ways, and keeps the others', async () => {
    const network = await open();
    const sprite = await plugged(network, 4, { rules: [] });
    await ask(sprite, 'good.test');
    await ask(sprite, 'evil.test');
    const kept = await startProgram(sprite, holdScript(good));
    const cut = await startProgram(sprite, holdScript(evil));
    const listening = await startProgram(sprite, listenScript(evil));
    expect([await echo(kept, 'a'), await echo(cut, 'a')]).toEqual(['a', 'a']);
    await network.restrict(4, allow('good.test'));
    expect(await echo(cut, 'b')).toBe('cut');
    expect(await echo(kept, 'b')).toBe('b');
    expect(await echo(listening, 'how many')).toBe('silence');
    expect(await connect(sprite, good)).toBe('reached');
    await network.restrict(4, allow('evil.test'));
    expect(await echo(kept, 'c')).toBe('cut');
    expect(await connect(sprite, good)).toBe('refused');
    await network.restrict(4, { rules: [] });
    expect(await connect(sprite, good)).toBe('reached');
  });

  it('holds while the server is away, and is there again with what was learnt', async () => {
    const policy = allow('good.test');
    const tenant = { spriteId: 'sprite_5', policy };
    const first = await open();
    const sprite = await plugged(first, 5, policy);
    await ask(sprite, 'good.test');
    const held = await startProgram(sprite, holdScript(good));
    await first.close();
    expect(await echo(held, 'away')).toBe('away');
    expect(await connect(sprite, good)).toBe('reached');
    expect(await connect(sprite, evil)).toBe('refused');
    const second = await open();
    expect(await connect(sprite, evil)).toBe('refused');
    expect(await ask(sprite, 'good.test')).toContain('timed out');
    await second.repair(new Map([[5, tenant]]));
    expect(await echo(held, 'back')).toBe('back');
    expect(await connect(sprite, good)).toBe('reached');
    expect(await connect(sprite, evil)).toBe('refused');
    await second.close();
    const third = await open();
    // as of a server that died when its store had the policy and the kernel had not
    await third.repair(new Map([[5, { ...tenant, policy: allow('evil.test') }]]));
    expect(await echo(held, 'other policy')).toBe('cut');
    expect(await connect(sprite, good)).toBe('refused');
  });

  it('shuts a sprite whose table is gone before the server knows its policy', async () => {
    const first = await open();
    const sprite = await plugged(first, 6, allow('good.test'));
    await first.close();
    await runTool(['nft', 'flush', 'ruleset']);
    const second = await open();
    expect(await connect(sprite, evil)).toBe('refused');
    await second.repair(new Map([[6, { spriteId: 'sprite_6', policy: allow('good.test') }]]));
    expect(await ask(sprite, 'good.test')).toBe('ok 1');
    expect(await connect(sprite, good)).toBe('reached');
    expect(await connect(sprite, evil)).toBe('refused');
  });

  it('is put back with what was learnt when somebody flushes the host’s rules', async () => {
    const network = await open();
    const sprite = await plugged(network, 7, allow('good.test'));
    await ask(sprite, 'good.test');
    const held = await startProgram(sprite, holdScript(good));
    await runTool(['nft', 'flush', 'ruleset']);
    await vi.waitFor(() => expect(warnings.splice(0)).toHaveLength(1));
    expect(await echo(held, 'still')).toBe('still');
    expect(await connect(sprite, good)).toBe('reached');
    expect(await connect(sprite, evil)).toBe('refused');
  });

  it('observes: lets everything public through and tells what the rules would say', async () => {
    const network = await open();
    const sprite = await plugged(network, 8, { ...allow('good.test'), mode: 'observe' });
    expect(await ask(sprite, 'evil.test')).toBe('ok 1');
    expect(await ask(sprite, 'good.test')).toBe('ok 1');
    expect(await connect(sprite, evil)).toBe('reached');
    expect(await connect(sprite, other)).toBe('reached');
    expect(await connect(sprite, '192.168.7.2')).toBe('refused');
    expect(decisions).toEqual([
      { spriteId: 'sprite_8', name: 'evil.test', verdict: 'would_deny', addresses: [evil] },
      { spriteId: 'sprite_8', name: 'good.test', verdict: 'allow', addresses: [good] },
    ]);
    const { sentBytes, receivedBytes, refused } = await network.traffic(8);
    expect([...sentBytes.keys()].sort()).toEqual([evil, other].sort());
    expect(receivedBytes.get(evil)).toBeGreaterThan(100);
    expect(refused).toEqual([]);
  });

  it('counts what passes and what was refused, and says where to', async () => {
    const network = await open();
    const sprite = await plugged(network, 9, allow('good.test'));
    await ask(sprite, 'good.test');
    await connect(sprite, good);
    await connect(sprite, evil, 443);
    const { sentBytes, receivedBytes, refused } = await network.traffic(9);
    expect(sentBytes.get(good)).toBeGreaterThan(100);
    expect(receivedBytes.get(good)).toBeGreaterThan(100);
    expect(refused).toMatchObject([{ target: `${evil} tcp/443` }]);
    expect(network.dnsVolume(9)).toMatchObject({ queries: 1, limited: 0 });
  });

  it('lets nothing through by default when the operator wants it so', async () => {
    const network = await open({ byDefault: 'deny' });
    const sprite = await plugged(network, 10, { rules: [] });
    expect(await ask(sprite, 'good.test')).toBe('refused 0');
    expect(await connect(sprite, good)).toBe('refused');
    await network.restrict(10, allow('*'));
    expect(await ask(sprite, 'good.test')).toBe('ok 1');
    expect(await connect(sprite, good)).toBe('reached');
    expect(await connect(sprite, evil)).toBe('refused');
  });

  it('refuses names that only look like allowed ones, whatever their bytes', async () => {
    const network = await open();
    const sprite = await plugged(
      network,
      11,
      allow('*.wild.test', 'good.test', '*.Bücher.test', 'bücher.test'),
    );
    const names: readonly (readonly [string, string])[] = [
      ['GOOD.test', 'ok 1'],
      ['good.test.', 'ok 1'],
      ['xn--bcher-kva.test', 'ok 1'],
      [JSON.stringify(['a.wild', 'test']), 'refused 0'],
      [JSON.stringify(['good.test']), 'refused 0'],
      [JSON.stringify(['good', 'test\0']), 'refused 0'],
      [JSON.stringify(['a\0b', 'wild', 'test']), 'refused 0'],
      [JSON.stringify(['bücher', 'test']), 'refused 0'],
      ['good.test.evil.test', 'refused 0'],
      [JSON.stringify(Array.from({ length: 126 }, () => 'a')), 'refused 0'],
      [JSON.stringify(['a'.repeat(63), 'a'.repeat(63), 'wild', 'test']), 'ok 1'],
      [JSON.stringify([...Array.from({ length: 120 }, () => 'a'), 'wild', 'test']), 'ok truncated 0'],
      [JSON.stringify(['a'.repeat(200), 'wild', 'test']), 'format 0'],
    ];
    for (const [name, outcome] of names) expect(await ask(sprite, name), name).toBe(outcome);
    expect(await ask(sprite, 'good.test', { type: 65 })).toBe('ok 0');
    expect(await ask(sprite, 'good.test', { type: 28 })).toBe('ok 0');
  });

  it('limits how much one sprite asks, and shows it', async () => {
    const network = await open({ queriesPerSecond: 5 });
    const [loud, quiet] = [await plugged(network, 12, allow('*')), await plugged(network, 13, allow('*'))];
    const flood = `
import socket, struct
codes = []
for n in range(40):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(2); s.connect(('10.88.0.1', 53))
    name = b'x%d' % n
    s.send(b'\\x12\\x34\\x01\\x00\\x00\\x01' + bytes(6) + bytes([len(name)]) + name + b'\\x04wild\\x04test\\0\\0\\1\\0\\1')
    codes.append(s.recv(4096)[3] & 15)
print(codes.count(0), codes.count(5))
`;
    const { output } = await loud.run(['python3', '-c', flood], 20_000);
    const [answered = 0, refused = 0] = output.trim().split(' ').map(Number);
    expect(answered).toBeGreaterThanOrEqual(10);
    expect(refused).toBeGreaterThan(0);
    expect(network.dnsVolume(12)).toMatchObject({ queries: 40, limited: refused });
    expect(decisions.filter(({ verdict }) => verdict === 'limited')).toHaveLength(refused);
    expect(await ask(quiet, 'good.test')).toBe('ok 1');
  });

  it('cannot be had around by root in the sprite', async () => {
    const network = await open();
    const sprite = await plugged(network, 14, allow('good.test'));
    const free = await plugged(network, 15, { rules: [] });
    await ask(free, 'evil.test');
    // the address of a sprite that may do more
    await sprite.run(['ip', 'addr', 'add', '10.88.0.17/32', 'dev', 'eth0']);
    const from = (address: string) => `
import socket
s = socket.socket(); s.bind(('${address}', 0)); s.settimeout(1)
try: s.connect(('${evil}', 80)); print('reached')
except OSError as e: print('refused')
`;
    expect((await sprite.run(['python3', '-c', from('10.88.0.17')])).output.trim()).toBe('refused');
    expect((await sprite.run(['python3', '-c', from('10.88.0.16')])).output.trim()).toBe('refused');
    await sprite.run(['ip', 'route', 'add', evil, 'via', '10.88.0.1', 'dev', 'eth0', 'onlink']);
    expect(await connect(sprite, evil)).toBe('refused');
    // neither another name server nor one in the middle of a stream helps
    expect(await connect(sprite, resolver, 53)).toBe('refused');
    const raw = await sprite.run(['python3', '-c', rawScript(evil)]);
    expect(raw.output.trim()).toBe('silence');
    expect(await ask(sprite, 'good.test')).toBe('ok 1');
    expect(await connect(sprite, good)).toBe('reached');
    // its hardware address is its own affair: it only makes itself unreachable
    await sprite.run(['ip', 'link', 'set', 'eth0', 'address', '02:73:73:00:00:0f']);
    expect(await connect(sprite, evil)).toBe('refused');
    expect(await ask(free, 'evil.test')).toBe('ok 1');
  });

  it('costs a thousand rules no more than ten, and leaves no rule behind', async () => {
    const network = await open();
    const many = Array.from({ length: 1000 }, (_, index) => `*.n${index}.example`);
    const sprite = await plugged(network, 16, allow(...many, 'good.test'));
    const rules = (await runTool(['nft', 'list', 'table', 'inet', 'sprites_aaaa0003'])).split('\n').length;
    expect(await ask(sprite, 'good.test')).toBe('ok 1');
    await network.restrict(16, allow('good.test'));
    const fewer = (await runTool(['nft', 'list', 'table', 'inet', 'sprites_aaaa0003'])).split('\n').length;
    expect(Math.abs(rules - fewer)).toBeLessThan(20);
    await network.unplug(16);
    expect(await runTool(['nft', 'list', 'table', 'inet', 'sprites_aaaa0003'])).not.toMatch(/_16\b/);
  });
});
