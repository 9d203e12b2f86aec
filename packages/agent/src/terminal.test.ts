import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, startAgent } from './testing/agent-process.ts';
import { ExecConnection } from './testing/exec-connection.ts';

let agent: AgentProcess;
beforeAll(async () => {
  agent = await startAgent();
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
});

async function open(script: string, fields: Readonly<Record<string, string>> = {}): Promise<ExecConnection> {
  const query = new URLSearchParams({ tty: 'true', ...fields });
  for (const arg of ['sh', '-c', script]) query.append('cmd', arg);
  return await ExecConnection.open(agent.socketPath, `/v1/exec?${query}`);
}

const text = (connection: ExecConnection): string => Buffer.concat(connection.messages).toString();

async function run(script: string, fields: Readonly<Record<string, string>> = {}): Promise<string> {
  return (await (await open(script, fields)).result()).raw.toString();
}

describe('a command on a terminal', () => {
  it('has 24 rows and 80 columns, also with stdin=false', async () => {
    expect(await run('stty size', { stdin: 'false' })).toBe('24 80\r\n');
  });

  it('has the size asked for before it starts', async () => {
    expect(await run('stty size', { rows: '40', cols: '132' })).toBe('40 132\r\n');
  });

  it('gets raw bytes both ways, no exit frame, and the exit code as text', async () => {
    const connection = await open('stty -echo; echo ready; read line; echo "got $line"; exit 9');
    await connection.until(() => text(connection).includes('ready'));
    connection.socket.send(Buffer.from('some words\n'));
    const result = await connection.result();
    expect(result.raw.toString()).toBe('ready\r\ngot some words\r\n');
    expect(result).toMatchObject({ exitCode: 9, closeCode: 1000 });
  });

  it('controls its terminal, which its user may open', async () => {
    const output = await run('tty; echo direct > /dev/tty; ps -o tty= -p $$; echo again > $(tty)');
    expect(output).toMatch(/^\/dev\/pts\/\d+\r\ndirect\r\npts\/\d+\s*\r\nagain\r\n$/);
  });

  it('is interrupted by Ctrl-C', async () => {
    const connection = await open('trap "echo int; exit 3" INT; echo ready; while :; do sleep 0.05; done');
    await connection.until(() => text(connection).includes('ready'));
    connection.socket.send(Buffer.of(3));
    expect(await connection.result()).toMatchObject({ exitCode: 3 });
  });

  it('follows a resize, clamps one that is too large and ignores one to nothing', async () => {
    const connection = await open('echo ready; while read line; do stty size; done');
    const sizes: string[] = [];
    await connection.until(() => text(connection).includes('ready'));
    for (const [rows, cols] of [
      [50, 120],
      [0, 0],
      [100_000, 100_000],
      [-1, 5],
      ['a', null],
    ]) {
      const before = text(connection).length;
      connection.sendJson({ type: 'resize', rows, cols });
      connection.socket.send(Buffer.from('\n'));
      await connection.until(() => /\d+ \d+\r\n$/.test(text(connection).slice(before)));
      sizes.push(text(connection).slice(before).trim());
    }
    connection.socket.send(Buffer.of(4));
    await connection.result();
    expect(sizes).toEqual(['50 120', '50 120', '65535 65535', '65535 65535', '65535 65535']);
  });

  it('does not stop the agent when it does not read its input', async () => {
    const connection = await open('stty raw -echo; echo ready; sleep 0.5; exit 0');
    await connection.until(() => text(connection).includes('ready'));
    for (let i = 0; i < 50; i++) connection.socket.send(Buffer.alloc(10_000, 'x'));
    expect(await run('echo alive')).toBe('alive\r\n');
    expect(await connection.result()).toMatchObject({ exitCode: 0 });
  });

  it('loses no byte at its end', async () => {
    const output = await run('stty raw; head -c 1000000 /dev/zero; printf end');
    expect([output.length, output.slice(-3)]).toEqual([1_000_003, 'end']);
  });

  it('ends with its leader, whatever stays behind', async () => {
    const startedMs = performance.now();
    expect(await run('setsid sleep 3 & echo bye')).toContain('bye');
    expect(performance.now() - startedMs).toBeLessThan(2000);
  });

  it('tells failure by the close code when the machine is set so', async () => {
    await using other = await startAgent({ machine: { tty_exit_close_code: true } });
    const closeCode = async (argv: string): Promise<number> =>
      (await (await ExecConnection.open(other.socketPath, `/v1/exec?cmd=${argv}&tty=true`)).result())
        .closeCode;
    expect([await closeCode('false'), await closeCode('true')]).toEqual([4001, 1000]);
  });
});
