import { spawn } from 'node:child_process';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Measurement } from '../measurement.ts';
import { openNginx } from '../peers/nginx.ts';
import { works } from '../peers/run.ts';
import { loadWithWrk } from '../peers/wrk.ts';
import { latencyRow, type Row, timeEach } from '../samples.ts';

/** The same service in the sprite and, for nginx, on the host: a few bytes, or 1 MiB. */
const service = `
const big = Buffer.alloc(1048576, 'x');
require('node:http').createServer((request, response) => {
  const body = request.url === '/big' ? big : 'hello world\\n';
  response.writeHead(200, { 'content-length': body.length });
  response.end(body);
}).listen(Number(process.argv.at(-1)), '127.0.0.1');
`;
const leastShare = 0.6;
const rounds = 3;

/** Requests to the URL of a sprite beside nginx as a plain proxy before the same service. */
export const url: Measurement = {
  name: 'url',
  title: 'requests to a sprite’s URL, beside nginx',
  async run(bench) {
    if (!(await works('sh', ['-c', 'command -v wrk']))) return 'wrk is not installed (apt-get install wrk)';
    const sprite = await bench.client.createSprite(bench.nextName(), { urlSettings: { auth: 'public' } });
    const node = '/.sprite/bin/ld.so --library-path /.sprite/bin/lib /.sprite/bin/node';
    await sprite.execFile('sh', ['-c', 'cat > service.cjs'], { input: service });
    await sprite.execFile('sh', ['-c', `setsid ${node} service.cjs 8080 >/dev/null 2>&1 </dev/null &`]);
    const host = new URL((await bench.client.getSprite(sprite.name)).url ?? '').host;
    const [port, direct] = [await freePort(), await freePort()];
    const onHost = spawn(process.execPath, ['-e', service, String(direct)], { stdio: 'ignore' });
    const nginx = await openNginx(port, direct);
    try {
      await until(async () => (await ask(bench.server.baseUrl, host)) === 200);
      await until(async () => (await ask(`http://127.0.0.1:${direct}`, 'x')) === 200);
      const rows = await latencies(bench.n, `http://127.0.0.1:${direct}`, bench.server.baseUrl, host);
      if (typeof nginx === 'string') console.error(`  ${nginx}`);
      else {
        await until(async () => (await ask(nginx.url, 'x')) === 200);
        for (const path of ['/', '/big'])
          rows.push(...(await shares(nginx.url, bench.server.baseUrl, host, path)));
      }
      return rows;
    } finally {
      onHost.kill();
      if (typeof nginx !== 'string') await nginx.close();
      await sprite.delete();
    }
  },
};

async function latencies(n: number, direct: string, ours: string, host: string): Promise<Row[]> {
  const straight = await timeEach(n, async () => void (await ask(direct, 'x')));
  const through = await timeEach(n, async () => void (await ask(ours, host)));
  return [
    latencyRow('request to the service itself', straight),
    latencyRow('request to the sprite’s URL', through),
  ];
}

/** Both in turn, several times, so that whatever else the machine does meets both. */
async function shares(nginx: string, ours: string, host: string, path: string): Promise<Row[]> {
  // a process compiles what it does most in its first seconds
  await loadWithWrk(ours + path, host);
  const pairs: { readonly peer: number; readonly own: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    const peer = await loadWithWrk(nginx + path, 'x');
    const own = await loadWithWrk(ours + path, host);
    if (own.failures > 0) throw new Error(`${own.failures} requests to the URL failed`);
    pairs.push({ peer: peer.requestsPerS, own: own.requestsPerS });
  }
  const [pair] = pairs.sort((a, b) => a.own / a.peer - b.own / b.peer).slice(Math.floor(rounds / 2));
  if (pair === undefined) return [];
  const what = path === '/' ? '12 bytes' : '1 MiB';
  return [
    { what: `nginx, requests of ${what}`, n: rounds, p50: pair.peer, unit: '/s' },
    { what: `URL, requests of ${what}`, n: rounds, p50: pair.own, unit: '/s' },
    {
      what: `URL / nginx, ${what}`,
      n: rounds,
      p50: pair.own / pair.peer,
      unit: '×',
      promise: `≥ ${leastShare}`,
      kept: pair.own / pair.peer >= leastShare,
    },
  ];
}

const agent = new Agent({ keepAlive: true });

/** The status of one request on a kept connection. */
function ask(base: string, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(base, { agent, headers: { host } }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode ?? 0));
    });
    sent.once('error', reject);
    sent.end();
  });
}

async function until(happens: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (await happens().catch(() => false)) return;
    await sleep(50);
  }
  throw new Error('the service did not answer');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
