import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { runTool } from '@sprites/linux';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { LinuxNetwork } from './linux-network.ts';
import { openNetwork } from './open-network.ts';
import { plugged } from './test-egress.ts';
import { type Computer, closeLab, makeDirectory, openLab, startNeighbour, startProgram } from './test-lab.ts';
import { zoneServer } from './test-zone.ts';

const host = '198.51.100.1';
const internet = '198.51.100.2';
const question = Buffer.from('123401000001000000000000046e616d6504746573740000010001', 'hex');

const packets = `
import socket, struct, sys
def checksum(b):
    s = sum(struct.unpack('!%dH' % (len(b) // 2), b)); s = (s >> 16) + (s & 0xffff); return ~(s + (s >> 16)) & 0xffff
def ip(source, target, protocol, length, more=0, number=1):
    h = struct.pack('!BBHHHBBH4s4s', 69, 0, 20 + length, number, more, 64, protocol, 0, socket.inet_aton(source), socket.inet_aton(target))
    return h[:10] + struct.pack('!H', checksum(h)) + h[12:]
out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
`;

// Says to the target that a UDP packet did not get through, which it quotes: from where to where.
const complain = `${packets}
me, target, source, source_port, to, to_port = sys.argv[1:]
quoted = ip(source, to, 17, 8) + struct.pack('!HHHH', int(source_port), int(to_port), 8, 0)
icmp = struct.pack('!BBHI', 3, 3, 0, 0) + quoted
icmp = icmp[:2] + struct.pack('!H', checksum(icmp)) + icmp[4:]
out.sendto(ip(me, target, 1, len(icmp)) + icmp, (target, 0))
`;

// First pieces of datagrams whose rest never comes.
const flood = `${packets}
for number in range(6000): out.sendto(ip(sys.argv[1], '${internet}', 17, 1400, 0x2000, number) + bytes(1400), ('${internet}', 0))
`;

const ping = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP); s.settimeout(1); s.connect(('${internet}', 0))
s.send(b'\\x08\\x00' + bytes(6 + int(sys.argv[1]))); print('reply', len(s.recv(9000)) - 8)
`;

// Prints the kinds of ICMP messages that come, up to the first ping.
const listenForIcmp = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP); print('ready', flush=True)
kinds = []
while 8 not in kinds: kinds.append(s.recv(2000)[20])
print(kinds, flush=True)
`;

// Asks a question, waits for the answer, from port 4000.
const askUpstream = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1); s.bind(('0.0.0.0', 4000)); s.connect(('${internet}', 53))
s.send(bytes.fromhex('${question.toString('hex')}')); s.recv(500); print('answered')
`;

const opened: LinuxNetwork[] = [];
let uplink: Computer;

async function open(): Promise<LinuxNetwork> {
  const { signal } = new AbortController();
  const log = { info: () => undefined, warn: () => undefined };
  const stateDir = makeDirectory();
  const options = {
    range: '10.88.0.0/16',
    instance: 'aaaa0004',
    upstreams: [internet],
    stateDir,
    signal,
    log,
  };
  const network = await openNetwork(options);
  opened.push(network);
  return network;
}

async function python(computer: Computer, script: string, ...args: readonly string[]): Promise<string> {
  return (await computer.run(['python3', '-c', script, ...args], 10_000)).output.trim();
}

/** A socket of the host that has just had an answer from the internet. */
async function openHostSocket(): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.connect(53, internet);
  await once(socket, 'connect');
  await ask(socket);
  return socket;
}

async function ask(socket: Socket): Promise<string> {
  socket.send(question, () => undefined);
  return await once(socket, 'message').then(
    () => 'answered',
    (error: unknown) => String(error),
  );
}

describe.skipIf(process.getuid?.() !== 0)('hostile packets of a sprite', () => {
  beforeAll(async () => {
    await openLab();
    uplink = await startNeighbour('uplink', `${host}/24`, `${internet}/24`);
    await startProgram(uplink, zoneServer.replace('ZONE', '{"name.test": [[1, "198.51.100.2", 60]]}'));
  });
  afterEach(async () => {
    for (const network of opened.splice(0)) await network.release();
  });
  afterAll(closeLab);

  it('cannot break a connection of the host by a message about an error in it', async () => {
    const sprite = await plugged(await open(), 0);
    const socket = await openHostSocket();
    const errors: string[] = [];
    socket.on('error', (error) => errors.push(error.message));
    const about = [host, host, String(socket.address().port), internet, '53'];
    await python(sprite, complain, '10.88.0.2', ...about);
    expect(await ask(socket)).toBe('answered');
    expect(errors).toEqual([]);
    // Without the rules it would have, so they are what stops it.
    await runTool(['nft', 'flush chain inet sprites_aaaa0004 input']);
    await python(sprite, complain, '10.88.0.2', ...about);
    await vi.waitFor(() => expect(errors.join()).toContain('ECONNREFUSED'));
    socket.close();
  });

  it('cannot complain to others about connections of the host or of another sprite, only about its own', async () => {
    const network = await open();
    const [sprite, sibling] = [await plugged(network, 1), await plugged(network, 2)];
    const socket = await openHostSocket();
    const heard = async (to: string, toPort: number): Promise<string> => {
      const { stdout } = await startProgram(uplink, listenForIcmp);
      if (stdout === null) throw new Error('the listener has no output');
      let said = '';
      stdout.on('data', (text) => {
        said += text;
      });
      await python(sprite, complain, '10.88.0.3', internet, internet, '53', to, String(toPort));
      await python(sprite, ping, '0');
      await vi.waitFor(() => expect(said).toContain(']'));
      return said.trim();
    };
    expect(await heard(host, socket.address().port)).toBe('[8]');
    socket.close();
    expect(await python(sibling, askUpstream)).toBe('answered');
    expect(await heard('10.88.0.4', 4000)).toBe('[8]');
    expect(await python(sprite, askUpstream)).toBe('answered');
    expect(await heard('10.88.0.3', 4000)).toBe('[3, 8]');
  });

  it('cannot fill the memory in which the host puts packets together', async () => {
    const network = await open();
    const [sprite, sibling] = [await plugged(network, 3), await plugged(network, 4)];
    expect(await python(sprite, ping, '4000')).toBe('reply 4000');
    await python(sprite, flood, '10.88.0.5');
    expect(await python(sibling, ping, '4000')).toBe('reply 4000');
    expect(await python(sprite, ping, '100')).toBe('reply 100');
  });
});
