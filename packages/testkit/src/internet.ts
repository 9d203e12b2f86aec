import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';

/** Addresses of a test internet. */
export type TestAddresses = { readonly resolver: string; readonly good: string; readonly evil: string };

/**
 * A network of eight addresses of a documentation range, 192.0.2.0/24 without its first eight. Not of 203.0.113.0/24: hosts
 * exist that reach their package mirror by an address of it.
 */
type LabNetwork = { readonly host: string; readonly addresses: TestAddresses };

const networks: readonly LabNetwork[] = Array.from({ length: 31 }, (_, index) => {
  const at = (last: number): string => `192.0.2.${index * 8 + 8 + last}`;
  return { host: at(1), addresses: { resolver: at(2), good: at(3), evil: at(4) } };
});

/** Names that the lab's name server knows, each with its address. */
function zoneOf({ good, evil }: TestAddresses): Readonly<Record<string, string>> {
  return {
    'good.test': good,
    'api.good.test': good,
    'evil.test': evil,
    '*.good.test': good,
    'rebind.test': '10.0.0.1',
  };
}

const program = `
import json, socket, struct, sys, threading
zone = json.loads(sys.argv[1])
def answer(q):
    end, labels = 12, []
    while q[end]:
        labels.append(q[end+1:end+1+q[end]].decode('latin1').lower()); end += q[end] + 1
    end += 5
    address = zone.get('.'.join(labels)) or zone.get('.'.join(['*', *labels[1:]]))
    if address is None: return q[:2] + b'\\x81\\x83\\x00\\x01' + bytes(6) + q[12:end]
    return q[:2] + b'\\x81\\x80\\x00\\x01\\x00\\x01' + bytes(4) + q[12:end] + b'\\xc0\\x0c\\x00\\x01\\x00\\x01' + struct.pack('>IH', 60, 4) + socket.inet_aton(address)
def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('0.0.0.0', 53))
    while True:
        q, a = s.recvfrom(4096); s.sendto(answer(q), a)
def http(c):
    try:
        while True:
            d = c.recv(4096)
            if not d: return
            c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nhello' if d.startswith(b'GET') else d)
    except OSError: pass
threading.Thread(target=udp, daemon=True).start()
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('0.0.0.0', 80)); s.listen(64)
print('ready', flush=True)
while True:
    c, _ = s.accept(); threading.Thread(target=http, args=(c,), daemon=True).start()
`;

/** An internet of three addresses in a namespace of its own, with a name server and a server on port 80. */
export type TestInternet = AsyncDisposable & { readonly addresses: TestAddresses };

/** Opens one; it ends with this process, and its namespace and interface with it. */
export async function openTestInternet(): Promise<TestInternet> {
  const network = await findFreeNetwork();
  const zone = JSON.stringify(zoneOf(network.addresses));
  const wait = 'read go && exec python3 -u -c "$0" "$1"';
  const argv = ['--pdeathsig', 'KILL', 'unshare', '-n', 'sh', '-c', wait, program, zone];
  const internet = spawn('setpriv', argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  const close = async (): Promise<void> => {
    internet.kill('SIGKILL');
    if (internet.exitCode === null && internet.signalCode === null) await once(internet, 'exit');
  };
  try {
    await once(internet, 'spawn');
    const { pid } = internet;
    if (pid === undefined) throw new Error('the test internet did not start');
    await joinNetwork(pid, network);
    internet.stdin.write('go\n');
    await once(internet.stdout, 'data');
  } catch (error) {
    await close();
    throw error;
  }
  return { addresses: network.addresses, [Symbol.asyncDispose]: close };
}

/** Labs of several runs may stand side by side. */
async function findFreeNetwork(): Promise<LabNetwork> {
  const taken = await runProgram('ip', ['-o', '-4', 'addr']);
  const start = process.pid % networks.length;
  const inOrder = [...networks.slice(start), ...networks.slice(0, start)];
  const free = inOrder.find(({ host }) => !taken.includes(` ${host}/`));
  if (free === undefined) throw new Error('all networks for labs are taken');
  return free;
}

async function joinNetwork(pid: number, { host, addresses }: LabNetwork): Promise<void> {
  const device = `lab${pid}`;
  const inside = ['--net', '--target', String(pid)];
  // the program has its namespace a moment after it was started
  await runProgram('sh', [
    '-c',
    `while [ "$(readlink /proc/${pid}/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.02; done`,
  ]);
  await runProgram('ip', [
    'link',
    'add',
    device,
    'type',
    'veth',
    'peer',
    'name',
    'eth0',
    'netns',
    String(pid),
  ]);
  await runProgram('ip', ['addr', 'add', `${host}/29`, 'dev', device]);
  await runProgram('ip', ['link', 'set', device, 'up']);
  await runProgram('nsenter', [...inside, 'ip', 'link', 'set', 'lo', 'up']);
  for (const address of Object.values(addresses)) {
    await runProgram('nsenter', [...inside, 'ip', 'addr', 'add', `${address}/29`, 'dev', 'eth0']);
  }
  await runProgram('nsenter', [...inside, 'ip', 'link', 'set', 'eth0', 'up']);
}

async function runProgram(file: string, args: readonly string[]): Promise<string> {
  return (await promisify(execFile)(file, [...args])).stdout;
}
