import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { runTool } from '@sprites/linux';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { LinuxNetwork } from './linux-network.ts';
import { openNetwork } from './open-network.ts';
import {
  type Computer,
  closeLab,
  makeDirectory,
  openLab,
  startComputer,
  startNeighbour,
  startProgram,
} from './test-lab.ts';

const range = '10.88.0.0/16';
const internet = '198.51.100.2';
const intranet = '192.168.7.2';

// Answers every A query with 198.51.100.2 by UDP and TCP, names in big.* by a truncated answer over UDP;
// echoes TCP on port 80 after the peer's address.
const internetServer = `
import socket, struct, threading
def answer(q, tcp):
    end = 12
    while q[end]: end += q[end] + 1
    end += 5
    if b'\\x03big' in q[:end] and not tcp:
        return q[:2] + b'\\x83\\x80\\x00\\x01' + bytes(6) + q[12:end]
    return q[:2] + b'\\x81\\x80\\x00\\x01\\x00\\x01' + bytes(4) + q[12:end] + b'\\xc0\\x0c\\x00\\x01\\x00\\x01' + struct.pack('>IH', 60, 4) + bytes([198,51,100,2])
def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('0.0.0.0', 53))
    while True:
        q, a = s.recvfrom(4096); s.sendto(answer(q, False), a)
def serve(port, f):
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('0.0.0.0', port)); s.listen()
    while True:
        c, a = s.accept(); threading.Thread(target=f, args=(c, a), daemon=True).start()
def dns(c, a):
    q = c.recv(4096)
    r = answer(q[2:], True); c.sendall(struct.pack('>H', len(r)) + r); c.close()
def echo(c, a):
    c.sendall(a[0].encode() + b'\\n')
    while True:
        d = c.recv(4096)
        if not d: return
        c.sendall(d)
threading.Thread(target=udp, daemon=True).start()
threading.Thread(target=serve, args=(53, dns), daemon=True).start()
print('ready')
serve(80, echo)
`;

const connectScript = `
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=1)
print(s.recv(100).decode())
`;

const pingScript = `
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP); s.settimeout(1); s.connect((sys.argv[1], 0))
s.send(b'\\x08\\x00' + bytes(6)); print('reply', s.recv(100)[0])
`;

const lookUpScript = `
import socket, struct, sys
name, kind, proto, server = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
q = b'\\x12\\x34\\x01\\x00\\x00\\x01' + bytes(6) + b''.join(bytes([len(l)]) + l.encode() for l in name.split('.')) + b'\\x00' + struct.pack('>HH', kind, 1)
if proto == 'udp':
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1); s.connect((server, 53)); s.send(q); r = s.recv(4096)
else:
    s = socket.create_connection((server, 53), timeout=1); s.sendall(struct.pack('>H', len(q)) + q); s.shutdown(socket.SHUT_WR); r = s.recv(4096)[2:]
print('id', r[:2].hex(), 'code', r[3] & 15, 'truncated', (r[2] >> 1) & 1, 'answers', r[7], '.'.join(str(b) for b in r[-4:]))
`;

// Asks by ARP who has an address, as many others; says who answered.
const arpScript = `
import socket, struct, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806)); s.bind(('eth0', 0)); s.settimeout(0.5)
mac = s.getsockname()[4]
for last in range(1, 100):
    s.send(b'\\xff' * 6 + mac + struct.pack('!HHHBBH', 0x0806, 1, 0x800, 6, 4, 1) + mac + bytes([203, 0, 113, last]) + bytes(6) + socket.inet_aton(sys.argv[1]))
try:
    while s.recv(100)[20:22] != b'\\0\\2': pass
    print('answered')
except OSError: print('silence')
`;

const tcp = (address: string, port: number) => ['python3', '-c', connectScript, address, String(port)];
const ping = (address: string) => ['python3', '-c', pingScript, address];
const lookUp = (name: string, { type = 1, proto = 'udp', server = '10.88.0.1' } = {}) => [
  'python3',
  '-c',
  lookUpScript,
  name,
  String(type),
  proto,
  server,
];

const tenantOf = (slot: number) => ({ spriteId: `sprite_${slot}`, policy: { rules: [] } });

const log = {
  info: () => undefined,
  warn: (fields: object, message: string) => warnings.push({ fields, message }),
};
const warnings: { fields: object; message: string }[] = [];
const opened: LinuxNetwork[] = [];
let stateDir = '';

async function open(options: Partial<Parameters<typeof openNetwork>[0]> = {}): Promise<LinuxNetwork> {
  const { signal } = new AbortController();
  const network = await openNetwork({
    range,
    instance: 'aaaa0001',
    stateDir,
    upstreams: [internet],
    signal,
    log,
    ...options,
  });
  opened.push(network);
  return network;
}

async function plugged(network: LinuxNetwork, slot: number): Promise<Computer> {
  const computer = await startComputer({ userns: true });
  await network.plug(slot, { type: 'pid', pid: computer.pid }, tenantOf(slot));
  return computer;
}

describe.skipIf(process.getuid?.() !== 0)('openNetwork', () => {
  beforeAll(async () => {
    await openLab();
    stateDir = makeDirectory();
    await startProgram(await startNeighbour('uplink', '198.51.100.1/24', `${internet}/24`), internetServer);
    await startProgram(await startNeighbour('lan', '192.168.7.1/24', `${intranet}/24`), internetServer);
  });
  afterEach(async () => {
    for (const network of opened.splice(0)) await network.release();
    warnings.length = 0;
  });
  afterAll(closeLab);

  it('gives a machine its address, the internet behind the host’s address, and DNS', async () => {
    const network = await open();
    const sprite = await plugged(network, 5);
    expect((await sprite.run(['ip', '-br', 'addr', 'show', 'eth0'])).output).toContain('10.88.0.7/32');
    expect((await sprite.run(tcp(internet, 80))).output.trim()).toBe('198.51.100.1');
    expect((await sprite.run(lookUp('example.com'))).output).toContain(
      'id 1234 code 0 truncated 0 answers 1 198.51.100.2',
    );
    expect((await sprite.run(ping('10.88.0.1'))).output.trim()).toBe('reply 0');
    expect((await sprite.run(ping(internet))).output.trim()).toBe('reply 0');
  });

  it('answers by TCP what does not fit by UDP, and says at once that there is no IPv6 address', async () => {
    const sprite = await plugged(await open(), 0);
    expect((await sprite.run(lookUp('big.test'))).output).toContain('truncated 1');
    expect((await sprite.run(lookUp('big.test', { proto: 'tcp' }))).output).toContain(
      'answers 1 198.51.100.2',
    );
    expect((await sprite.run(lookUp('example.com', { type: 28 }))).output).toContain(
      'code 0 truncated 0 answers 0',
    );
  });

  it('refuses the host, private networks, metadata and siblings, and drops a false source', async () => {
    const network = await open();
    const [sprite, sibling] = [await plugged(network, 1), await plugged(network, 2)];
    await startProgram(sibling, internetServer);
    await using server = createServer((socket) => socket.end('host\n')).listen(7777, '0.0.0.0');
    await once(server, 'listening');
    await runTool(['ip', 'route', 'add', '169.254.169.254/32', 'via', intranet]);
    const attempts = [
      tcp('10.88.0.1', 7777),
      tcp('198.51.100.1', 7777),
      tcp('192.168.7.1', 7777),
      tcp(intranet, 80),
      tcp('169.254.169.254', 80),
      tcp('10.88.0.4', 80),
      tcp('10.88.0.99', 80),
    ];
    for (const attempt of attempts) {
      const { output } = await sprite.run(attempt);
      expect(output, attempt.slice(-2).join(' ')).toMatch(/No route to host|timed out/);
    }
    await sprite.run(['ip', 'addr', 'add', '10.88.0.4/32', 'dev', 'eth0']);
    await sprite.run([
      'ip',
      'route',
      'replace',
      'default',
      'via',
      '10.88.0.1',
      'dev',
      'eth0',
      'onlink',
      'src',
      '10.88.0.4',
    ]);
    expect((await sprite.run(tcp(internet, 80))).output).toContain('timed out');
    expect((await sprite.run(lookUp('example.com'))).output).toContain('timed out');
    expect((await sibling.run(tcp(internet, 80))).status).toBe(0);
  });

  it('drops IPv6 even when the machine configures it itself', async () => {
    const sprite = await plugged(await open(), 3);
    await runTool(['ip', '-6', 'addr', 'replace', 'fd77::1/64', 'dev', 'uplink', 'nodad']);
    await runTool([
      'sysctl',
      '-qw',
      'net.ipv6.conf.all.forwarding=1',
      'net.ipv6.conf.spaaaa00013.disable_ipv6=0',
    ]);
    await runTool(['ip', '-6', 'addr', 'add', 'fd88::1/64', 'dev', 'spaaaa00013', 'nodad']);
    await sprite.run(['sysctl', '-qw', 'net.ipv6.conf.eth0.disable_ipv6=0']);
    await sprite.run(['ip', '-6', 'addr', 'add', 'fd88::2/64', 'dev', 'eth0', 'nodad']);
    await sprite.run(['ip', '-6', 'route', 'add', 'default', 'via', 'fd88::1']);
    const neighbour = ['ip', '-6', 'neigh', 'replace'] as const;
    await runTool([...neighbour, 'fd88::2', 'lladdr', '02:73:73:00:00:03', 'dev', 'spaaaa00013']);
    await sprite.run([...neighbour, 'fd88::1', 'lladdr', '02:73:72:00:00:03', 'dev', 'eth0']);
    await using server = createServer((socket) => socket.end('host\n')).listen(7778, '::');
    await once(server, 'listening');
    expect((await sprite.run(tcp('fd88::1', 7778))).output).toContain('timed out');
    expect((await sprite.run(tcp('fd77::1', 7778))).output).toContain('timed out');
    // Without the rules it would have worked, so they are what stops it.
    const table = 'inet sprites_aaaa0001';
    await runTool(['nft', `flush chain ${table} arrival; flush chain ${table} input`]);
    expect((await sprite.run(tcp('fd77::1', 7778))).output.trim()).toBe('host');
  });

  it('tells a machine nobody’s hardware address, and remembers none that it claims', async () => {
    const sprite = await plugged(await open(), 4);
    const ask = ['python3', '-c', arpScript, '198.51.100.1'];
    const claimed = () => runTool(['ip', 'neigh', 'show', 'dev', 'spaaaa00014', 'to', '203.0.113.0/24']);
    expect((await sprite.run(ask)).output.trim()).toBe('silence');
    expect(await claimed()).toBe('');
    // With ARP it would have worked, so its absence is what stops it.
    await runTool(['ip', 'link', 'set', 'spaaaa00014', 'arp', 'on']);
    expect((await sprite.run(ask)).output.trim()).toBe('answered');
    expect(await claimed()).toContain('203.0.113.');
  });

  it('lets sprites reach private addresses that are allowed', async () => {
    const sprite = await plugged(await open({ allow: ['192.168.7.0/30'] }), 1);
    expect((await sprite.run(tcp(intranet, 80))).output.trim()).toBe('192.168.7.1');
    await using server = createServer((socket) => socket.end('host\n')).listen(7777, '0.0.0.0');
    await once(server, 'listening');
    expect((await sprite.run(tcp('192.168.7.1', 7777))).output).toContain('No route to host');
    await expect(open({ instance: 'aaaa0002', range: '10.89.0.0/16', allow: ['mirror'] })).rejects.toThrow(
      'SPRITES_NETWORK_ALLOW mirror',
    );
  });

  it('refuses a range that the host or another server uses', async () => {
    await open();
    const other = { instance: 'aaaa0002' };
    await expect(open({ ...other, range: '192.168.0.0/20' })).rejects.toThrow(
      /SPRITES_NETWORK 192.168.0.0\/20 collides with the address 192.168.7.1\/24 of lan/,
    );
    await expect(open({ ...other, range })).rejects.toThrow(/SPRITES_NETWORK 10.88.0.0\/16 collides/);
    await expect(open({ ...other, range: '10.88.4.0/24' })).rejects.toThrow('of another sprites server');
    await expect(open({ ...other, range: '10.0.0.0/8' })).rejects.toThrow(
      /collides.*e\.g\. 10\.89\.0\.0\/16/,
    );
  });

  it('serves two servers side by side without letting their sprites meet', async () => {
    const one = await open();
    const two = await open({ instance: 'aaaa0002', range: '10.90.0.0/24', allow: ['10.88.0.0/16'] });
    const [first, second] = [await plugged(one, 0), await plugged(two, 0)];
    await startProgram(first, internetServer);
    expect((await second.run(lookUp('example.com', { server: '10.90.0.1' }))).output).toContain('answers 1');
    expect((await second.run(lookUp('example.com', { server: '10.88.0.1' }))).output).toMatch(
      /timed out|No route/,
    );
    expect((await second.run(tcp('10.88.0.2', 80))).output).toMatch(/timed out|No route/);
    await two.release();
    expect((await first.run(tcp(internet, 80))).status).toBe(0);
  });

  it('keeps a connection alive across a restart and a repair, and answers DNS again', async () => {
    const first = await open();
    const [sprite, gone] = [await plugged(first, 1), await plugged(first, 2)];
    const held = await startProgram(
      sprite,
      `
import socket, sys
s = socket.create_connection(('${internet}', 80), timeout=2); s.recv(100); print('open', flush=True)
for line in sys.stdin:
    s.sendall(line.encode()); print(s.recv(100).decode().strip(), flush=True)
`,
    );
    await first.close();
    const second = await open();
    expect(await echo(held, 'after open')).toBe('after open');
    await second.repair(new Map([[1, tenantOf(1)]]));
    expect(await echo(held, 'after repair')).toBe('after repair');
    expect((await sprite.run(lookUp('example.com'))).output).toContain('answers 1');
    expect((await gone.run(['ip', 'link', 'show', 'eth0'])).output).toContain('does not exist');
  });

  it('replaces what a slot’s earlier machine left', async () => {
    const network = await open();
    await plugged(network, 7);
    const second = await plugged(network, 7);
    expect((await second.run(tcp(internet, 80))).status).toBe(0);
  });

  it('puts its table back when somebody flushes the host’s rules', async () => {
    const network = await open();
    const sprite = await plugged(network, 8);
    await runTool(['nft', 'flush', 'ruleset']);
    await vi.waitFor(() => expect(warnings.map((each) => each.message)).toHaveLength(1));
    expect(warnings[0]?.message).toBe('putting back the nft table that somebody deleted');
    const another = await plugged(network, 9);
    for (const each of [sprite, another]) {
      expect((await each.run(tcp(internet, 80))).status).toBe(0);
      expect((await each.run(tcp(intranet, 80))).output).toContain('No route to host');
    }
  });

  it('shuts a slot out on unplug and leaves nothing on release', async () => {
    const before = await hostState();
    const network = await open();
    const sprite = await plugged(network, 1);
    await network.unplug(1);
    await network.unplug(1);
    expect((await sprite.run(['ip', '-br', 'link'])).output).not.toContain('eth0');
    await plugged(network, 2);
    await network.release();
    expect(await hostState()).toBe(before);
  });

  it('tells the operator about a firewall that drops sprites’ packets', async () => {
    await runTool([
      'nft',
      'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }',
    ]);
    try {
      await open();
      expect(JSON.stringify(warnings)).toContain(
        'nft insert rule ip filter FORWARD iifname \\"spaaaa0001*\\" accept',
      );
    } finally {
      await runTool(['nft', 'delete', 'table', 'ip', 'filter']);
    }
  });

  it('leaves nothing when another name server holds the port', async () => {
    const before = await hostState();
    await using server = createServer().listen(53, '0.0.0.0');
    await once(server, 'listening');
    await expect(open()).rejects.toThrow('cannot listen on 10.88.0.1 port 53');
    expect(await hostState()).toBe(before);
  });

  it('refuses a slot beyond its addresses', async () => {
    const network = await open({ range: '10.91.0.0/28' });
    expect(network.capacity).toBe(13);
    await expect(network.plug(13, { type: 'pid', pid: 1 }, tenantOf(13))).rejects.toThrow('slot 13');
  });
});

async function echo(program: ChildProcess, line: string): Promise<string> {
  const { stdin, stdout } = program;
  if (stdin === null || stdout === null) throw new Error('program has no pipes');
  const answer = once(stdout, 'data');
  stdin.write(`${line}\n`);
  return String(await answer).trim();
}

async function hostState(): Promise<string> {
  const parts = [
    ['ip', '-br', 'addr'],
    ['ip', 'route', 'show', 'table', 'all'],
    ['nft', 'list', 'ruleset'],
    ['cat', '/proc/sys/net/ipv4/ip_forward'],
  ] as const;
  const outputs = await Promise.all(parts.map((argv) => runTool([...argv])));
  return outputs.join('\n');
}
