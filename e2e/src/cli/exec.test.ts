import { createHash, randomBytes } from 'node:crypto';
import { chmod, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bigOutputBytes, bigOutputScript } from '../big-output.ts';
import { testServer, uniqueName } from '../server.ts';
import { CommandLine } from './command-line.ts';
import { until } from './until.ts';

describe('sprite exec', () => {
  const name = uniqueName('cli-exec');
  let cli: CommandLine;
  const exec = (args: readonly string[], options: Parameters<CommandLine['run']>[1] = {}) =>
    cli.run(['exec', '-s', name, ...args], options);

  beforeAll(async () => {
    cli = await CommandLine.openFor(testServer());
    const created = await cli.run(['create', '--skip-console', name]);
    if (created.code !== 0) throw new Error(created.stderr);
  });
  afterAll(async () => {
    await cli?.run(['destroy', '--force', name]);
    await cli?.close();
  });

  it('keeps stdout and stderr apart and nothing else on them', async () => {
    const ended = await exec(['--', 'sh', '-c', 'echo out; echo err >&2']);
    expect(ended).toMatchObject({ code: 0, text: 'out\n', stderr: 'err\n' });
  });

  it.each([
    ['0', 'true', 0],
    ['its own', 'exit 7', 7],
    ['126 for what cannot be executed', 'exec /etc/passwd', 126],
    ['127 for what is not there', 'exec /no/such/program', 127],
    ['128+n after signal n', 'kill -TERM $$', 143],
  ])('ends with %s', async (_, script, code) => {
    expect((await exec(['--', 'sh', '-c', script])).code).toBe(code);
  });

  it('ends with 127 and the reason when the program itself is not there', async () => {
    const ended = await exec(['/no/such/program']);
    expect(ended.code).toBe(127);
    expect(ended.stderr).toContain('/no/such/program');
  });

  it('takes options, in both spellings, only before the command', async () => {
    const script = 'echo "$A|$B|$(pwd)|$*"';
    const now = await exec([
      '--env',
      'A=1,B=2,3',
      '--dir',
      '/tmp',
      '--',
      'sh',
      '-c',
      script,
      'sh',
      '--env',
      '-la',
    ]);
    expect(now.text).toBe('1|2,3|/tmp|--env -la\n');
    const old = await exec(['-env', 'A=1,B=2,3', '-dir', '/tmp', 'sh', '-c', script, 'sh', '-tty']);
    expect(old.text).toBe('1|2,3|/tmp|-tty\n');
  });

  it('passes binary input through unchanged', async () => {
    const input = randomBytes(3_000_000);
    const ended = await exec(['cat'], { input });
    expect(ended.stdout.equals(input)).toBe(true);
  });

  it('loses none of 50 MiB of output', async () => {
    const { stdout } = await exec(['--', 'sh', '-c', bigOutputScript]);
    expect(stdout.length).toBe(bigOutputBytes);
  });

  it('ends the command when the reader of its output goes away', async () => {
    const script = `"$0" "$1" exec -s ${name} -- yes | head -1`;
    expect(await cli.shell(script)).toBe('y\n');
  });

  it('interrupts the command on the first Ctrl-C and kills it on the second', async () => {
    const script = 'trap "echo interrupted" INT; echo ready; while :; do sleep 0.05; done';
    const ended = await exec(['--', 'sh', '-c', script], {
      during: async (pid, said) => {
        await until(() => said().includes('ready'));
        process.kill(pid, 'SIGINT');
        await until(() => said().includes('interrupted'));
        process.kill(pid, 'SIGINT');
      },
    });
    expect(ended).toMatchObject({ code: 137, text: 'ready\ninterrupted\n' });
  });

  it.each(['SIGTERM', 'SIGHUP'] as const)('passes %s on', async (signal) => {
    const ended = await exec(
      [
        '--',
        'sh',
        '-c',
        `trap "echo got; exit 5" ${signal.slice(3)}; echo ready; while :; do sleep 0.05; done`,
      ],
      {
        during: async (pid, said) => {
          await until(() => said().includes('ready'));
          process.kill(pid, signal);
        },
      },
    );
    expect(ended).toMatchObject({ code: 5, text: 'ready\ngot\n' });
  });

  it('uploads files with their mode before the command runs', async () => {
    const content = randomBytes(200_000);
    await writeFile(path.join(cli.home, 'data.bin'), content);
    await chmod(path.join(cli.home, 'data.bin'), 0o750);
    const script = 'sha256sum < /tmp/up/new/data.bin; stat -c %a /tmp/up/new/data.bin; cat there';
    const ended = await exec([
      '--file',
      'data.bin:/tmp/up/new/',
      '--file',
      '.sprites/sprites.json:there',
      '--dir',
      '/tmp',
      '--',
      'sh',
      '-c',
      script,
    ]);
    const hash = createHash('sha256').update(content).digest('hex');
    expect(ended.text).toContain(`${hash}  -\n750\n`);
    expect(ended.text).toContain('current_selection');
  });

  it('says what is wrong with an upload and runs nothing', async () => {
    const ended = await exec(['--file', 'nothing:/tmp/x', '--', 'echo', 'ran']);
    expect(ended).toMatchObject({ code: 1, text: '', stderr: 'sprite: cannot upload nothing: ENOENT\n' });
  });

  it('runs a command over plain HTTP', async () => {
    const ended = await exec(
      ['--http-post', '--env', 'A=1', '--', 'sh', '-c', 'cat; echo $A; echo e >&2; exit 4'],
      {
        input: 'typed\n',
      },
    );
    expect(ended).toMatchObject({ code: 4, text: 'typed\n1\n', stderr: 'e\n' });
  });

  it('tells an unknown sprite in one line', async () => {
    const ended = await cli.run(['exec', '-s', 'no-such-sprite', '--', 'true']);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(/^sprite: .*no-such-sprite.*not found.*\n$/);
  });
});
