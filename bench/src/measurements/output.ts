import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import type { Measurement } from '../measurement.ts';
import { MemoryGrowth } from '../memory-growth.ts';
import { pidsOfSprite } from '../memory-of.ts';
import { run } from '../peers/run.ts';
import type { Row } from '../samples.ts';

const rounds = 16;
const expectedBytes = rounds * 67_108_864;
/** 64 MiB that never repeat, so that lost, doubled or swapped bytes change the hash; making 1 GiB takes longer than sending it. */
const prepare = (file: string): string => `head -c 67108864 /dev/urandom >${file}`;
const send = (file: string): string => `for i in $(seq ${rounds}); do cat ${file}; done`;

/** 1 GiB of output: its speed, that nothing of it is lost, and what memory it costs on the way. */
export const output: Measurement = {
  name: 'output',
  title: '1 GiB of output',
  async run({ client, server, nextName }) {
    const bare = await bareSpawn();
    const created = await client.createSprite(nextName());
    const file = '/tmp/block';
    const { stdout } = await created.execFile('sh', ['-c', `${prepare(file)}; ${send(file)} | sha256sum`]);
    const expected = stdout.split(' ')[0];
    const agents = await pidsOfSprite((await client.getSprite(created.name)).id ?? 'unknown');
    using serverGrowth = await MemoryGrowth.watch('server', [server.pid]);
    using agentGrowth = await MemoryGrowth.watch('agent', agents);
    const running = created.spawn('sh', ['-c', send(file)], { stdin: false });
    const got = await drain(running.stdout);
    await running.wait();
    await created.delete();
    return [
      speed('peer: 1 GiB of output, bare spawn', bare),
      {
        ...speed('1 GiB of output through the server, our SDK', got),
        promise: '≥ 200 MB/s, sha256 equal',
        kept: got.hash === expected && got.bytesPerMs >= 200_000,
      },
      serverGrowth.toRow('1 GiB of output'),
      agentGrowth.toRow('1 GiB of output'),
    ];
  },
};

async function bareSpawn(): Promise<Drained> {
  const folder = await mkdtemp(path.join(tmpdir(), 'bench-output-'));
  try {
    const file = path.join(folder, 'block');
    await run('sh', ['-c', prepare(file)]);
    return await drain(spawn('sh', ['-c', send(file)], { stdio: ['ignore', 'pipe', 'ignore'] }).stdout);
  } finally {
    await rm(folder, { recursive: true });
  }
}

type Drained = { readonly hash: string; readonly bytesPerMs: number };

/** Takes all of a stream as fast as it comes; hashing, which costs as much as sending, waits until the clock has stopped. */
async function drain(stream: Readable): Promise<Drained> {
  const all = Buffer.allocUnsafe(expectedBytes);
  const startedMs = performance.now();
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    chunk.copy(all, bytes);
    bytes += chunk.length;
  });
  await once(stream, 'end');
  const bytesPerMs = bytes / (performance.now() - startedMs);
  if (bytes !== expectedBytes) throw new Error(`${bytes} bytes came of ${expectedBytes}`);
  return { hash: createHash('sha256').update(all).digest('hex'), bytesPerMs };
}

function speed(what: string, { bytesPerMs }: Drained): Row {
  return { what, n: 1, p50: bytesPerMs / 1000, unit: 'MB/s' };
}
