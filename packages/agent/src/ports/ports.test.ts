import { execFileSync } from 'node:child_process';
import { formatExecCommand } from '@sprites/contract/exec';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, startAgent } from '../testing/agent-process.ts';
import { ExecConnection } from '../testing/exec-connection.ts';
import { SocketDiag } from './socket-diag.ts';

/** Listens on a free port of an address, says which, and ends when its input does. */
const server = `
const server = require('node:net').createServer().listen(0, process.argv[1], () => console.log(server.address().port));
process.stdin.resume().on('end', () => process.exit());
`;

describe('ports', () => {
  let agent: AgentProcess;
  beforeAll(async () => {
    agent = await startAgent();
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
  });

  async function startServer(
    address: string,
    wrap = '',
  ): Promise<{ connection: ExecConnection; port: number }> {
    const command = ['-e', server, address].map((one) => `'${one.replaceAll("'", "'\\''")}'`).join(' ');
    const connection = await ExecConnection.open(
      agent.socketPath,
      `/v1/exec?${formatExecCommand({ argv: ['sh', '-c', `${wrap} ${process.execPath} ${command}`], stdin: true })}`,
    );
    await connection.until((one) => one.output(1).length > 0);
    return { connection, port: Number(connection.output(1).toString()) };
  }

  it.each(['127.0.0.1', '::', '::1', '0.0.0.0'])(
    'are told of to those who watch, also %s',
    async (address) => {
      const watch = await ExecConnection.open(agent.socketPath, '/v1/ports/watch');
      await watch.until(({ texts }) => texts.length > 0);
      expect(watch.texts[0]).toMatchObject({ type: 'port_list', ports: expect.any(Array) });
      const { connection, port } = await startServer(address);
      const about = (type: string): object | undefined =>
        watch.texts.find((text) => text.type === type && text.port === port);
      await watch.until(() => about('port_opened') !== undefined);
      expect(about('port_opened')).toEqual({ type: 'port_opened', port, address, pid: expect.any(Number) });
      const later = await ExecConnection.open(agent.socketPath, '/v1/ports/watch');
      await later.until(({ texts }) => texts.length > 0);
      expect(later.texts[0]?.ports).toContainEqual(about('port_opened'));
      later.socket.close();
      connection.endInput();
      await watch.until(() => about('port_closed') !== undefined);
      expect(about('port_closed')).toMatchObject({ address });
      watch.socket.close();
    },
  );

  it('are told of to the session that opened them only', async () => {
    const other = await ExecConnection.open(agent.socketPath, '/v1/exec?cmd=cat&stdin=true');
    const { connection, port } = await startServer('127.0.0.1', 'exec');
    await connection.until(({ texts }) => texts.some((text) => text.type === 'port_opened'));
    expect(connection.texts).toEqual([
      expect.objectContaining({ type: 'session_info' }),
      { type: 'port_opened', port, address: '127.0.0.1', pid: expect.any(Number) },
    ]);
    const guest = await ExecConnection.open(agent.socketPath, `/v1/exec/${await connection.sessionId()}`);
    await guest.until(({ texts }) => texts.length > 1);
    expect(guest.texts[1]).toMatchObject({ type: 'port_opened', port });
    connection.endInput();
    await connection.result();
    expect(other.texts.map((text) => text.type)).toEqual(['session_info']);
    other.endInput();
    await other.result();
  });

  it('are those that the kernel lists', () => {
    const diag = new SocketDiag();
    const ours = diag.list().map(({ port }) => port);
    diag.close();
    const hex = execFileSync('sh', ['-c', 'cat /proc/net/tcp /proc/net/tcp6'], { encoding: 'utf8' });
    const theirs = [...hex.matchAll(/^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) \S+ 0A/gm)].map(([, port]) =>
      Number(`0x${port}`),
    );
    expect(ours.sort()).toEqual(theirs.sort());
  });
});
