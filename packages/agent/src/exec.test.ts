import { readFile } from 'node:fs/promises';
import { streamIds } from '@sprites/contract/exec';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, startAgent } from './testing/agent-process.ts';
import { ExecConnection, type ExecResult, runOverSocket } from './testing/exec-connection.ts';
import { httpRequest } from './testing/http-request.ts';

let agent: AgentProcess;
beforeAll(async () => {
  agent = await startAgent({
    machine: { version: '1.2.3', environment: { FROM_SPRITE: 'yes', SHARED: 'sprite' } },
  });
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
});

type Fields = Readonly<Record<string, string | readonly string[]>>;

function toQuery(fields: Fields): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    for (const item of typeof value === 'string' ? [value] : value) query.append(name, item);
  }
  return query;
}

async function run(argv: readonly string[], fields: Fields = {}): Promise<ExecResult> {
  return await runOverSocket(agent.socketPath, toQuery({ cmd: argv, ...fields }));
}

async function open(argv: readonly string[], fields: Fields = {}): Promise<ExecConnection> {
  return await ExecConnection.open(agent.socketPath, `/v1/exec?${toQuery({ cmd: argv, ...fields })}`);
}

const shell = (script: string): readonly string[] => ['sh', '-c', script];

describe('a command without a terminal', () => {
  it('says who it is first, then gives output, exit frame, exit text and close 1000', async () => {
    const result = await run(shell('echo out; echo err >&2; exit 3'));
    expect(result).toMatchObject({ stdout: 'out\n', stderr: 'err\n', frameExitCode: 3, closeCode: 1000 });
    expect(result.texts).toEqual([
      expect.objectContaining({
        type: 'session_info',
        session_id: expect.any(String),
        is_owner: true,
        tty: false,
      }),
      { type: 'exit', exit_code: 3, code: 3 },
    ]);
    expect([...result.raw.subarray(-2)]).toEqual([3, 3]);
  });

  it('has three pipes that it can open again, and no terminal', async () => {
    const script =
      'tty; echo a > /dev/stdout; echo b > /dev/stderr; test -p /dev/fd/0 && test -p /dev/fd/1 && echo pipes';
    const result = await run(shell(script), { stdin: 'true' });
    expect(result).toMatchObject({ stdout: 'not a tty\na\npipes\n', stderr: 'b\n', exitCode: 0 });
  });

  it('reads input to its end, and ends without it', async () => {
    const connection = await open(['cat'], { stdin: 'true' });
    connection.write('hello ');
    connection.write('world');
    connection.endInput();
    connection.endInput();
    connection.write('late');
    expect(await connection.result()).toMatchObject({ stdout: 'hello world', exitCode: 0 });
    expect(await run(['true'], { stdin: 'true' })).toMatchObject({ exitCode: 0 });
  });

  it('reads nothing when the client gives no input', async () => {
    const connection = await open(shell('readlink /dev/fd/0; cat'), { stdin: 'false' });
    connection.write('ignored');
    connection.endInput();
    expect(await connection.result()).toMatchObject({ stdout: '/dev/null\n', exitCode: 0 });
  });

  it('survives input that the program does not read', async () => {
    const connection = await open(shell('exec <&-; sleep 0.3; echo done'), { stdin: 'true' });
    for (let i = 0; i < 100; i++) connection.write('x'.repeat(10_000));
    expect(await connection.result()).toMatchObject({ stdout: 'done\n', exitCode: 0 });
  });

  it('leads a session and process group of its own', async () => {
    const { stdout } = await run(shell('echo $$; cut -d" " -f5,6 /proc/$$/stat'));
    const [pid, ids] = stdout.split('\n');
    expect(ids).toBe(`${pid} ${pid}`);
  });

  it('gets base, sprite and request variables, the later ones winning', async () => {
    const env = ['A=1', 'SHARED=request', 'EMPTY=', 'EQUALS=a=b', 'A=2'];
    const lines = (await run(['env'], { env })).stdout.split('\n');
    expect(lines).toEqual(
      expect.arrayContaining(['A=2', 'SHARED=request', 'EMPTY=', 'EQUALS=a=b', 'FROM_SPRITE=yes']),
    );
    expect(lines).toEqual(
      expect.arrayContaining([expect.stringMatching(/^PATH=.*\/usr\/bin/), 'LANG=C.UTF-8']),
    );
  });

  it('starts with no signal of its own ignored or blocked and no stray descriptor', async () => {
    const { stdout } = await run(
      shell('grep -E "^Sig(Blk|Ign)" /proc/self/status; ls /proc/self/fd | wc -l'),
    );
    // The C library keeps 32 and 33 to itself.
    expect(stdout).toBe('SigBlk:\t0000000000000000\nSigIgn:\t0000000180000000\n4\n');
  });

  it('is ended by the kernel before the agent when memory runs out', async () => {
    expect((await run(['cat', '/proc/self/oom_score_adj'])).stdout).toBe('500\n');
    expect(await readFile(`/proc/${agent.pid}/oom_score_adj`, 'utf8')).toBe('0\n');
  });

  it('runs in the directory asked for', async () => {
    expect((await run(['pwd'], { dir: '/tmp' })).stdout).toBe('/tmp\n');
  });

  it('runs a script without an interpreter line by sh', async () => {
    const file = `${agent.dir}/script`;
    await run(shell(`printf 'echo "script $1"; exit 9' > ${file}; chmod +x ${file}`));
    expect(await run([file, 'arg'])).toMatchObject({ stdout: 'script arg\n', exitCode: 9 });
  });

  it('passes a 100,000-byte argument and a megabyte of environment', async () => {
    const argument = 'x'.repeat(100_000);
    expect((await run(shell(`printf %s "${'$1'}" | wc -c`).concat('sh', argument))).stdout.trim()).toBe(
      '100000',
    );
    const env = Array.from({ length: 10 }, (_, index) => `V${index}=${argument}`);
    expect((await run(shell('env | wc -c'), { env })).exitCode).toBe(0);
  });
});

describe('a command that cannot start', () => {
  it.each([
    ['a name that is nowhere', ['no-such-command'], {}, 127, /no-such-command: command not found/],
    ['a path that does not exist', ['/no/such/file'], {}, 127, /no such file/],
    ['a file that is not executable', ['/etc/passwd'], {}, 126, /permission denied/],
    ['a directory', ['/tmp'], {}, 126, /is a directory/],
    [
      'a missing directory to run in',
      ['true'],
      { dir: '/no/such/dir' },
      126,
      /cannot enter directory \/no\/such\/dir/,
    ],
    ['a file to run in', ['true'], { dir: '/etc/passwd' }, 126, /not a directory/],
    [
      'an argument beyond what the kernel takes',
      ['true', 'x'.repeat(200_000)],
      {},
      126,
      /argument list too long/,
    ],
  ] as const)('says so and exits: %s', async (_, argv, fields, exitCode, reason) => {
    const plain = await run(argv, fields);
    expect(plain).toMatchObject({ exitCode, frameExitCode: exitCode, closeCode: 1000, stdout: '' });
    expect(plain.stderr).toMatch(reason);
    const onTerminal = await run(argv, { ...fields, tty: 'true' });
    expect(onTerminal).toMatchObject({ exitCode, closeCode: 1000 });
    expect(onTerminal.raw.toString()).toMatch(reason);
  });
});

describe('the end of a command', () => {
  it('is 128 + n after signal n', async () => {
    expect(await run(shell('kill -TERM $$'))).toMatchObject({ exitCode: 143 });
    expect(await run(shell('kill -KILL $$'))).toMatchObject({ exitCode: 137 });
  });

  it('does not wait for a background child, which lives on and may write', async () => {
    const file = `${agent.dir}/background`;
    const startedMs = performance.now();
    const result = await run(shell(`(sleep 1; echo late; echo alive > ${file}) & echo now; exit 4`));
    expect(performance.now() - startedMs).toBeLessThan(900);
    expect(result).toMatchObject({ stdout: 'now\n', exitCode: 4 });
    const wait = `for i in $(seq 50); do test -s ${file} && cat ${file} && exit; sleep 0.1; done`;
    expect((await run(shell(wait))).stdout).toBe('alive\n');
  });

  it('comes although a background child never stops talking', async () => {
    const result = await run(
      shell('(while sleep 0.05; do echo noise; done) & pid=$!; echo $pid >&2; exit 5'),
    );
    await run(['kill', result.stderr.trim()]);
    expect(result.exitCode).toBe(5);
  });

  it('comes after all output, however much is still in the pipe', async () => {
    const result = await run(shell('sleep 5 & head -c 60000 /dev/zero; exit 6'));
    expect(result.stdout).toHaveLength(60_000);
    expect(result.exitCode).toBe(6);
  });

  it('loses no byte of much output on both streams', async () => {
    const result = await run(shell('head -c 20000000 /dev/zero & head -c 10000000 /dev/zero >&2; wait'));
    expect([result.stdout.length, result.stderr.length, result.exitCode]).toEqual([
      20_000_000, 10_000_000, 0,
    ]);
  });

  it('sends frames of at most 32 KiB', async () => {
    const connection = await open(shell('head -c 1000000 /dev/zero'));
    await connection.result();
    expect(Math.max(...connection.messages.map((message) => message.length))).toBeLessThanOrEqual(32 * 1024);
  });
});

describe('messages during a command', () => {
  it('signal its process group', async () => {
    const connection = await open(
      shell('trap "echo got; exit 7" USR1; echo ready; while :; do sleep 0.05; done'),
    );
    await connection.until((seen) => seen.output(streamIds.stdout).includes('ready'));
    connection.sendJson({ type: 'signal', signal: 'usr1' });
    expect(await connection.result()).toMatchObject({ stdout: 'ready\ngot\n', exitCode: 7 });
  });

  it('are answered by an error when the signal does not exist, and ignored when unknown', async () => {
    const connection = await open(['cat'], { stdin: 'true' });
    for (const message of [{ type: 'dance' }, [1], 'text']) connection.sendJson(message as object);
    connection.socket.send('{no json');
    connection.socket.send(Buffer.alloc(0));
    connection.socket.send(Buffer.of(9, 9));
    connection.sendJson({ type: 'signal', signal: 'SIGNOPE' });
    await connection.until(({ texts }) => texts.some((text) => text.type === 'error'));
    connection.endInput();
    expect(await connection.result()).toMatchObject({ stdout: '', exitCode: 0 });
  });
});

describe('a refused upgrade', () => {
  it.each([
    ['/v1/exec?cmd=env&env=NOVALUE', 400, 'invalid_request'],
    ['/v1/exec/999999', 404, 'session_not_found'],
    ['/v1/exec?id=999999', 404, 'session_not_found'],
    ['/v1/exec?session_id=999999&cmd=x', 404, 'session_not_found'],
    ['/v1/nothing', 404, 'not_found'],
    ['/elsewhere', 404, 'not_found'],
    ['/v1/exec/%zz', 400, 'invalid_request'],
  ])('%s is a json answer %d', async (target, status, error) => {
    const opening = ExecConnection.open(agent.socketPath, target);
    await expect(opening).rejects.toThrow(new RegExp(`^${status} \\{"error":"${error}"`));
  });

  it('is a 4xx when request line and headers exceed the limit', async () => {
    const answer = await httpRequest(agent.socketPath, { path: `/v1/exec?cmd=${'x'.repeat(5_000_000)}` });
    expect(answer).toMatchObject({ status: 431 });
    expect(JSON.parse(answer.body)).toMatchObject({ error: 'request_too_large' });
  });
});
