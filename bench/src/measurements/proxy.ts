import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Sprite } from '@sprites/sdk';
import { freePort } from '@sprites/testkit';
import type { Measurement } from '../measurement.ts';
import { quantile, type Row } from '../samples.ts';
import { SpriteCommand } from '../sprite-command.ts';

const blockBytes = 1024 * 1024;
const blocks = 1024;
const totalBytes = blocks * blockBytes;
const promisedMbPerS = 300;
const servicePort = 9000;

/**
 * Both ends know the block that is sent over and over, and compare what comes with it. A connection begins with what the
 * client wants: `d` to get all, `u` to send all and be told when it is there.
 */
const service = `
import socket, sys, threading
block = open('block', 'rb').read()
def serve(peer):
    with peer:
        if peer.recv(1) == b'd':
            for _ in range(${blocks}): peer.sendall(block)
            return
        got = bytearray(len(block))
        for _ in range(${blocks}):
            if peer.recv_into(got, len(got), socket.MSG_WAITALL) != len(got) or got != block: return
        peer.sendall(b'ok')
server = socket.create_server(('0.0.0.0', ${servicePort}))
print('listening', flush=True)
while True: threading.Thread(target=serve, args=(server.accept()[0],)).start()
`;

type Way = { readonly what: string; readonly dial: () => Promise<Duplex> };

/** One stream to a port in a sprite, each way, beside a plain connection over the sprite's own network. */
export const proxy: Measurement = {
  name: 'proxy',
  title: '1 GiB through one proxied connection, each way',
  async run({ client, server, n, nextName }) {
    const sprite = await client.createSprite(nextName());
    const block = randomBytes(blockBytes);
    await startService(sprite, block);
    const local = await freePort();
    await using command = await SpriteCommand.open(server);
    const running = command.start(['proxy', '-s', sprite.name, `${local}:${servicePort}`]);
    if (running.stderr !== null) await once(running.stderr, 'data');
    const address = (await sprite.execFile('sh', ['-c', 'hostname -I'])).stdout.trim();
    const ways: readonly Way[] = [
      { what: 'peer: plain TCP to the sprite’s address', dial: () => dialTcp(address, servicePort) },
      { what: 'proxy, our SDK', dial: () => sprite.connectPort({ port: servicePort }) },
      { what: 'proxy, `sprite proxy`', dial: () => dialTcp('127.0.0.1', local) },
    ];
    try {
      const samples = Math.min(n, 5);
      return [
        ...(await measure('from the sprite', ways, samples, (stream) => download(stream, block))),
        ...(await measure('to the sprite', ways, samples, (stream) => upload(stream, block))),
      ];
    } finally {
      running.kill();
      await sprite.delete();
    }
  },
};

async function startService(sprite: Sprite, block: Buffer): Promise<void> {
  await sprite.filesystem().writeFile('block', block);
  const running = sprite.spawn('python3', ['-c', service], { stdin: false });
  running.on('error', () => undefined);
  await once(running.stdout, 'data');
}

/** All ways in turn, so that whatever else the machine does meets each of them. */
async function measure(
  direction: string,
  ways: readonly Way[],
  n: number,
  pass: (stream: Duplex) => Promise<void>,
): Promise<readonly Row[]> {
  const speeds = ways.map((): number[] => []);
  for (let index = -1; index < n; index++) {
    for (const [number, { dial }] of ways.entries()) {
      const startedMs = performance.now();
      const stream = await dial();
      await pass(stream);
      stream.destroy();
      // the first of each is to warm up
      if (index >= 0) speeds[number]?.push(totalBytes / 1000 / (performance.now() - startedMs));
    }
  }
  const medians = speeds.map((list) => quantile(list, 0.5));
  const [peer = Number.NaN] = medians;
  return ways.flatMap(({ what }, number) => toRows({ what, direction, n, peer, mbPerS: medians[number] }));
}

type Speed = {
  readonly what: string;
  readonly direction: string;
  readonly n: number;
  readonly peer: number;
  readonly mbPerS: number | undefined;
};

function toRows({ what, direction, n, peer, mbPerS = Number.NaN }: Speed): readonly Row[] {
  const row: Row = { what: `${what}, 1 GiB ${direction}`, n, p50: mbPerS, unit: 'MB/s' };
  if (mbPerS === peer) return [row];
  return [
    { ...row, promise: `≥ ${promisedMbPerS} MB/s`, kept: mbPerS >= promisedMbPerS },
    { what: `${what} / plain TCP, ${direction}`, n, p50: mbPerS / peer, unit: '×' },
  ];
}

async function dialTcp(host: string, port: number): Promise<Duplex> {
  const socket = connect({ host, port, noDelay: true });
  await once(socket, 'connect');
  return socket;
}

async function download(stream: Duplex, block: Buffer): Promise<void> {
  let got = 0;
  stream.on('data', (chunk: Buffer) => {
    check(chunk, block, got);
    got += chunk.length;
  });
  stream.write('d');
  await once(stream, 'end');
  if (got !== totalBytes) throw new Error(`${got} bytes came of ${totalBytes}`);
}

/** Throws when the bytes at this place of the stream are not those that were sent. */
function check(chunk: Buffer, block: Buffer, at: number): void {
  for (let done = 0; done < chunk.length; ) {
    const start = (at + done) % blockBytes;
    const count = Math.min(chunk.length - done, blockBytes - start);
    if (chunk.compare(block, start, start + count, done, done + count) !== 0) {
      throw new Error(`other bytes came than were sent, after ${at + done}`);
    }
    done += count;
  }
}

async function upload(stream: Duplex, block: Buffer): Promise<void> {
  const answer = once(stream, 'data');
  stream.write('u');
  const pieceBytes = 64 * 1024;
  for (let at = 0; at < totalBytes; at += pieceBytes) {
    const start = at % blockBytes;
    if (!stream.write(block.subarray(start, start + pieceBytes))) await once(stream, 'drain');
  }
  const [said] = await answer;
  if (String(said) !== 'ok') throw new Error(`the service got something else: ${said}`);
}
