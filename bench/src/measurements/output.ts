import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import type { Measurement } from '../measurement.ts';
import { PeakWatch, pidsOfSprite, residentMb } from '../memory-of.ts';
import type { Row } from '../samples.ts';

const sizeBytes = 1024 ** 3;
// Every block of it differs, so lost, doubled or swapped bytes change the hash.
const command = `seq 1 200000000 | head -c ${sizeBytes}`;

/** 1 GiB of output: its speed, that nothing of it is lost, and what memory it costs on the way. */
export const output: Measurement = {
  name: 'output',
  title: '1 GiB of output',
  async run({ client, server, nextName }) {
    const expected = await drain(
      spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'ignore'] }).stdout,
    );
    const created = await client.createSprite(nextName());
    await created.execFile('true');
    const agents = await pidsOfSprite((await client.getSprite(created.name)).id ?? 'unknown');
    const memory = async (): Promise<number> => Math.max(...(await Promise.all(agents.map(residentMb))));
    const before = { server: await residentMb(server.pid), agent: await memory() };
    using serverWatch = new PeakWatch(() => residentMb(server.pid));
    using agentWatch = new PeakWatch(memory);
    const running = created.spawn('sh', ['-c', command], { stdin: false });
    const got = await drain(running.stdout);
    await running.wait();
    await created.delete();
    return [
      speed('1 GiB of `seq`, bare spawn', expected),
      {
        ...speed('1 GiB of `seq` through the server, our SDK', got),
        promise: '≥ 200 MB/s, sha256 equal',
        kept: got.hash === expected.hash && got.bytesPerMs >= 200_000,
      },
      growth('growth of the server meanwhile', serverWatch.peak - before.server),
      growth('growth of the agent meanwhile', agentWatch.peak - before.agent),
    ];
  },
};

type Drained = { readonly hash: string; readonly bytesPerMs: number };

async function drain(stream: AsyncIterable<Uint8Array>): Promise<Drained> {
  const hash = createHash('sha256');
  const startedMs = performance.now();
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    hash.update(chunk);
  }
  return { hash: hash.digest('hex'), bytesPerMs: bytes / (performance.now() - startedMs) };
}

function speed(what: string, { bytesPerMs }: Drained): Row {
  return { what, n: 1, p50: bytesPerMs / 1000, unit: 'MB/s' };
}

function growth(what: string, grownMb: number): Row {
  return { what, n: 1, p50: Math.max(0, grownMb), unit: 'MB', promise: '< 64 MB', kept: grownMb < 64 };
}
