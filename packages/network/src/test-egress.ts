import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { NetworkPolicy } from '@sprites/contract';
import type { LinuxNetwork } from './linux-network.ts';
import { type Computer, startComputer } from './test-lab.ts';

// Looks a name up at the proxy, given as JSON list of labels or a name; prints code and addresses.
const askScript = `
import json, socket, struct, sys
name, kind, proto = sys.argv[1], int(sys.argv[2]), sys.argv[3]
labels = [l.encode('latin1') for l in (json.loads(name) if name[0] == '[' else name.split('.'))]
q = b'\\x12\\x34\\x01\\x00\\x00\\x01' + bytes(6) + b''.join(bytes([len(l)]) + l for l in labels if l) + b'\\x00' + struct.pack('>HH', kind, 1)
if proto == 'udp':
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(2); s.connect(('10.88.0.1', 53)); s.send(q); r = s.recv(4096)
else:
    s = socket.create_connection(('10.88.0.1', 53), timeout=2); s.sendall(struct.pack('>H', len(q)) + q); r = s.recv(65535)[2:]
print(['ok', 'format', 'failure', 'nxdomain', 'notimp', 'refused'][r[3] & 15] + (' truncated' if r[2] & 2 else ''), r[7])
`;

const connectScript = `
import socket, sys
try:
    s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=1)
    s.sendall(b'hello'); print('reached' if s.recv(10) == b'hello' else 'strange')
except OSError as e: print('unreachable' if e.errno in (101, 113) else e)
`;

/** Keeps a connection open, over which each line is sent and comes back. */
export const holdScript = (address: string) => `
import socket, sys
s = socket.create_connection(('${address}', 80), timeout=2); print('open', flush=True)
for line in sys.stdin:
    try:
        s.sendall(line.encode()); got = s.recv(100).decode().strip()
        print(got or 'ended', flush=True)
    except OSError as e: print('cut', flush=True)
`;

/** A policy that allows these names. */
export const allow = (...names: string[]): NetworkPolicy => ({
  rules: names.map((domain) => ({ domain, action: 'allow' as const })),
});

/** What the DNS proxy says to a question of the sprite: code and number of answers. */
export async function ask(sprite: Computer, name: string, { type = 1, proto = 'udp' } = {}): Promise<string> {
  return (await sprite.run(['python3', '-c', askScript, name, String(type), proto])).output.trim();
}

/** What a connection says. The kernel sends so many refusals a second and no more, so later ones look like silence. */
export async function connect(sprite: Computer, address: string, port = 80): Promise<string> {
  const said = await tryToConnect(sprite, address, port);
  return ['unreachable', 'timed out'].includes(said) ? 'refused' : said;
}

/** What a connection says, word for word. */
export async function tryToConnect(sprite: Computer, address: string, port = 80): Promise<string> {
  return (await sprite.run(['python3', '-c', connectScript, address, String(port)])).output.trim();
}

/** Says a line to a program and gives its answer. */
export async function echo(program: ChildProcess, line: string): Promise<string> {
  const { stdin, stdout } = program;
  if (stdin === null || stdout === null) throw new Error('program has no pipes');
  stdin.write(`${line}\n`);
  for (;;) {
    const said = String(await once(stdout, 'data')).trim();
    if (said !== '') return said;
  }
}

/** A computer that stands for a sprite, on the network in that slot. */
export async function plugged(
  network: LinuxNetwork,
  slot: number,
  policy: NetworkPolicy = { rules: [] },
): Promise<Computer> {
  const computer = await startComputer({ userns: true });
  await network.plug(slot, { type: 'pid', pid: computer.pid }, { spriteId: `sprite_${slot}`, policy });
  return computer;
}
