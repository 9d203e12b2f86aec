import type { Measurement } from '../measurement.ts';
import { openDocker } from '../peers/docker.ts';
import type { Peer } from '../peers/peer.ts';
import { openPodman } from '../peers/podman.ts';
import { run } from '../peers/run.ts';
import { openRunc } from '../peers/runc.ts';
import { openSsh } from '../peers/ssh.ts';
import { latencyRow, type Row, timeEach } from '../samples.ts';

const openers: readonly (() => Promise<Peer | string>)[] = [openRunc, openPodman, openDocker, openSsh];

/** The same `true` by what people use otherwise, in the same run on the same machine. */
export const peers: Measurement = {
  name: 'peers',
  title: '`true` by bare spawn, runc, podman, docker, ssh',
  async run({ n }) {
    const rows: Row[] = [latencyRow('peer: bare spawn of `true`', await timeEach(n, () => run('true', [])))];
    for (const open of openers) {
      const peer = await open();
      if (typeof peer === 'string') {
        console.log(`  ${peer}`);
        continue;
      }
      try {
        rows.push(latencyRow(`peer: ${peer.name}`, await timeEach(n, () => peer.runTrue())));
      } finally {
        await peer.close();
      }
    }
    return rows;
  },
};
