import { parseArgs } from 'node:util';
import { SpritesClient as OfficialClient } from '@fly/sprites';
import { SpritesClient } from '@sprites/sdk';
import { prepareTestImages, startTestServer } from '@sprites/testkit';
import type { Bench, Measurement } from './measurement.ts';
import { burst } from './measurements/burst.ts';
import { checkpoints } from './measurements/checkpoints.ts';
import { coldWake } from './measurements/cold-wake.ts';
import { create } from './measurements/create.ts';
import { createPooled } from './measurements/create-pooled.ts';
import { diff } from './measurements/diff.ts';
import { exec } from './measurements/exec.ts';
import { files } from './measurements/files.ts';
import { filesBig } from './measurements/files-big.ts';
import { memory } from './measurements/memory.ts';
import { output } from './measurements/output.ts';
import { peers } from './measurements/peers.ts';
import { policy } from './measurements/policy.ts';
import { proxy } from './measurements/proxy.ts';
import { serverRestart } from './measurements/server-restart.ts';
import { url } from './measurements/url.ts';
import { urlWake } from './measurements/url-wake.ts';
import { wakeStorm } from './measurements/wake-storm.ts';
import { warmMemory } from './measurements/warm-memory.ts';
import { warmWake } from './measurements/warm-wake.ts';
import type { Row } from './samples.ts';
import { renderTable } from './table.ts';

const measurements: readonly Measurement[] = [
  create,
  createPooled,
  exec,
  peers,
  output,
  warmWake,
  coldWake,
  wakeStorm,
  memory,
  warmMemory,
  serverRestart,
  burst,
  policy,
  url,
  urlWake,
  proxy,
  files,
  filesBig,
  checkpoints,
  diff,
];

const usage = `npm run bench [-- options] [name …]
Starts a server of its own and measures what we promise, beside peers on the same machine.

  --only NAME,…   only these, as by a name alone: ${measurements.map(({ name }) => name).join(', ')}
                  (${measurements.flatMap(({ name, onlyByName }) => (onlyByName === true ? [name] : [])).join(', ')} never without being named)
  --n COUNT       samples of each latency (default 100)
  --sizes GB,…    sizes of disks for checkpoints (default 0.1,1,10)
  --image NAME    base image (default minimal)
  --json          rows as JSON`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      only: { type: 'string' },
      n: { type: 'string', default: '100' },
      sizes: { type: 'string', default: '0.1,1,10' },
      image: { type: 'string', default: 'minimal' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(usage);
  const n = Number(values.n);
  if (!Number.isInteger(n) || n < 1)
    throw new Error(`--n ${values.n} is not a whole number above 0\n${usage}`);
  const sizesGb = values.sizes.split(',').map(Number);
  if (!sizesGb.every((size) => size > 0))
    throw new Error(`--sizes ${values.sizes} is no list of numbers above 0\n${usage}`);
  const names = [...positionals, ...(values.only?.split(',') ?? [])];
  const chosen =
    names.length === 0 ? measurements.filter(({ onlyByName }) => onlyByName !== true) : names.map(choose);
  const imagesDir = await prepareTestImages([values.image]);
  const startServer: Bench['startServer'] = (settings) =>
    startTestServer({
      imagesDir,
      image: values.image,
      settings: { SPRITES_LOG_LEVEL: 'warn', ...settings },
    });
  await using server = await startServer({});
  const rows: Row[] = [];
  let lastName = 0;
  const bench: Bench = {
    server,
    startServer,
    n,
    sizesGb,
    client: new SpritesClient(server.token, { baseURL: server.baseUrl }),
    official: new OfficialClient(server.token, { baseURL: server.baseUrl }),
    nextName: () => `bench-${++lastName}`,
  };
  for (const { title, run } of chosen) {
    console.error(`measuring ${title} …`);
    const result = await run(bench);
    if (typeof result === 'string') console.error(`  ${result}`);
    else rows.push(...result);
  }
  console.log(values.json ? JSON.stringify(rows, null, 2) : `\n${renderTable(rows)}`);
  if (rows.some((row) => row.kept === false)) process.exitCode = 1;
}

function choose(name: string): Measurement {
  const found = measurements.find((one) => one.name === name);
  if (found === undefined) throw new Error(`there is no measurement ${name}\n${usage}`);
  return found;
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
