import { pathToFileURL } from 'node:url';
import { startAgent } from './testing/agent-process.ts';
import { type Lane, openLane, type TransportName, transportNames } from './testing/transports.ts';

const laneCount = 4;

/** How many runs of a short command came out right, and how long a run took. */
export type StressReport = {
  readonly transport: TransportName;
  readonly runs: number;
  readonly wrong: readonly string[];
  readonly p50Ms: number;
  readonly p99Ms: number;
};

/**
 * Runs commands that end at once, four at a time, and compares every byte and exit code: the promise is that none
 * of ten thousand is wrong. Run it as `node src/stress.ts [runs] [transport…]`.
 */
export async function stress(
  transport: TransportName,
  socketPath: string,
  runs: number,
): Promise<StressReport> {
  const wrong: string[] = [];
  const times: number[] = [];
  let next = 0;
  const work = async (lane: Lane): Promise<void> => {
    for (let i = next++; i < runs; i = next++) {
      const startedMs = performance.now();
      const fault = await checkRun(lane, i, transport === 'tty');
      times.push(performance.now() - startedMs);
      if (fault !== undefined) wrong.push(fault);
    }
  };
  await Promise.all(
    Array.from({ length: laneCount }, async () => {
      await using lane = await openLane(transport, socketPath);
      await work(lane);
    }),
  );
  times.sort((a, b) => a - b);
  const at = (share: number): number =>
    Math.round((times[Math.floor(times.length * share)] ?? 0) * 100) / 100;
  return { transport, runs, wrong, p50Ms: at(0.5), p99Ms: at(0.99) };
}

/** One run with output on both streams and an exit code of its own; tells what was wrong with it. */
async function checkRun(lane: Lane, index: number, tty: boolean): Promise<string | undefined> {
  const code = index % 256;
  const script = `echo out-${index}; ${tty ? '' : `echo err-${index} >&2; `}exit ${code}`;
  const { stdout, stderr, exitCode } = await lane.run(['sh', '-c', script]);
  const wanted = tty ? [`out-${index}\r\n`, '', code] : [`out-${index}\n`, `err-${index}\n`, code];
  const got = [stdout, stderr, exitCode];
  const same = JSON.stringify(got) === JSON.stringify(wanted);
  return same ? undefined : `run ${index}: ${JSON.stringify(got)}`;
}

async function main(args: readonly string[]): Promise<void> {
  const runs = Number(args[0] ?? 10_000);
  const names = transportNames.filter((name) => args.length < 2 || args.includes(name));
  await using agent = await startAgent();
  for (const name of names) {
    const report = await stress(name, agent.socketPath, runs);
    console.log(JSON.stringify({ ...report, wrong: report.wrong.length, first: report.wrong[0] }));
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv.slice(2));
