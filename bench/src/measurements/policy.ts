import { SpritesClient } from '@sprites/sdk';
import { openTestInternet } from '@sprites/testkit';
import type { Measurement } from '../measurement.ts';
import { latencyRow, quantile, type Row } from '../samples.ts';

/** what a policy may add to a first connection, in `ms` */
const mostAddedMs = 2;
/** how much longer a thousand rules may take than ten; the rest is noise */
const mostFactor = 1.25;

// Each name is new, so that each look-up goes through: question, firewall, answer, connection.
const script = `
import json, socket, sys, time
took = []
for n in range(int(sys.argv[2]) + 5):
    start = time.perf_counter()
    address = socket.getaddrinfo('%s%d.good.test' % (sys.argv[1], n), 80, socket.AF_INET, socket.SOCK_STREAM)[0][4]
    socket.create_connection(address).close()
    took.append((time.perf_counter() - start) * 1000)
print(json.dumps(took[5:]))
`;

/** The first connection to a name, without a policy and with ten and a thousand rules. */
export const policy: Measurement = {
  name: 'policy',
  title: 'first connection to a name, with and without a network policy',
  async run({ startServer, nextName, n }) {
    await using internet = await openTestInternet();
    const { resolver } = internet.addresses;
    await using server = await startServer({
      SPRITES_DNS_UPSTREAMS: resolver,
      SPRITES_DNS_QUERIES_PER_S: '10000',
    });
    const client = new SpritesClient(server.token, { baseURL: server.baseUrl });
    const sprite = await client.createSprite(nextName());
    const measure = async (label: string, rules: number): Promise<readonly number[]> => {
      const domains = Array.from({ length: rules - 1 }, (_, index) => `*.n${index}.example`);
      const all = rules === 0 ? [] : [...domains, '*.good.test'];
      await sprite.updateNetworkPolicy({ rules: all.map((domain) => ({ domain, action: 'allow' })) });
      const { stdout } = await sprite.execFile('python3', ['-c', script, label, String(Math.max(n, 50))]);
      return JSON.parse(stdout);
    };
    const [none, ten, thousand] = [await measure('a', 0), await measure('b', 10), await measure('c', 1000)];
    await sprite.delete();
    const added = quantile(ten, 0.5) - quantile(none, 0.5);
    const factor = quantile(thousand, 0.5) / quantile(ten, 0.5);
    const rows: readonly Row[] = [
      latencyRow('first connection to a name, no policy', none),
      latencyRow('first connection to a name, 10 rules', ten),
      latencyRow('first connection to a name, 1000 rules', thousand),
      {
        what: 'what a policy adds',
        n: ten.length,
        p50: added,
        unit: 'ms',
        promise: `≤ ${mostAddedMs} ms`,
        kept: added <= mostAddedMs,
      },
      {
        what: '1000 rules / 10 rules',
        n: ten.length,
        p50: factor,
        unit: '×',
        promise: `≤ ${mostFactor}`,
        kept: factor <= mostFactor,
      },
    ];
    return rows;
  },
};
