import { expect, it } from 'vitest';
import { stress } from './stress.ts';
import { startAgent } from './testing/agent-process.ts';
import { openLane, transportNames } from './testing/transports.ts';

it.each(transportNames)('no byte and no exit code is lost over %s', async (transport) => {
  await using agent = await startAgent();
  const report = await stress(transport, agent.socketPath, 300);
  expect(report.wrong).toEqual([]);
});

it('two hundred commands at once all end right', async () => {
  await using agent = await startAgent();
  const results = await Promise.all(
    Array.from({ length: 200 }, async (_, index) => {
      await using lane = await openLane(index % 2 === 0 ? 'ws' : 'tty', agent.socketPath);
      return await lane.run(['sh', '-c', `sleep 0.2; printf ${index}; exit ${index}`]);
    }),
  );
  expect(results.map(({ stdout, exitCode }) => [stdout, exitCode])).toEqual(
    results.map((_, index) => [String(index), index]),
  );
});
