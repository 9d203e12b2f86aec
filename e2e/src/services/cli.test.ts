import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandLine } from '../cli/command-line.ts';
import { testServer, uniqueName } from '../server.ts';

const server = testServer();

describe('services on the command line', () => {
  const name = uniqueName('clisv');
  let cli: CommandLine;

  beforeAll(async () => {
    cli = await CommandLine.openFor(server);
    await cli.run(['create', '--skip-console', name]);
    await cli.run(['use', name]);
  });
  afterAll(async () => {
    await cli?.run(['destroy', '--force', name]);
    await cli?.close();
  });

  it('are created with their first output, listed and shown', async () => {
    const flags = ['--http-port', '3000', '--env', 'A=1,B=x,y', '--dir', '/tmp', '--duration', '1s'];
    const script = 'echo "$PWD $A $B"; echo oops >&2; exec sleep 1000';
    const made = await cli.run(['services', 'create', 'web', ...flags, '--', 'sh', '-c', script]);
    expect(made).toMatchObject({ code: 0, text: '/tmp 1 x,y\n' });
    expect(made.stderr).toMatch(/✓ started\n(.*\n)*oops\n|oops\n/);
    expect((await cli.run(['services'])).text).toMatch(
      /^NAME +STATUS +STARTED +RESTARTS +PORT +COMMAND\nweb +running .* 0 +3000 +sh -c /,
    );
    expect((await cli.run(['services', 'get', 'web'])).text).toMatch(/\nvariables +A, B\n.*needs +-\n/);
    const json = await cli.run(['services', 'get', 'web', '--json', '-s', name]);
    expect(JSON.parse(json.text)).toMatchObject({ name: 'web', env: { A: '1', B: 'x,y' }, httpPort: 3000 });
    expect((await cli.run(['services', 'ls', '--json'])).text).toContain('"running"');
  });

  it('are stopped, started, restarted, signalled and deleted', async () => {
    expect(await cli.run(['services', 'stop', 'web'])).toMatchObject({ code: 0, text: '' });
    const again = await cli.run(['services', 'stop', 'web']);
    expect(again).toMatchObject({ code: 1, stderr: 'sprite: service web is not running\n' });
    expect((await cli.run(['services', 'start', 'web', '--duration', '0'])).stderr).toBe('✓ started\n');
    expect((await cli.run(['service', 'restart', 'web', '--duration', '0'])).stderr).toBe(
      'stopping\n✓ stopped\n✓ started\n',
    );
    expect((await cli.run(['services', 'signal', 'web', 'WINCH'])).code).toBe(0);
    expect((await cli.run(['services', 'signal', 'web', 'NOPE'])).stderr).toContain('unknown signal');
    expect((await cli.run(['services', 'logs', 'web', '-n', '2'])).text).toContain('/tmp 1 x,y\n');
    expect((await cli.run(['services', 'rm', 'web'])).stderr).toContain(`deleted web of ${name}`);
    expect((await cli.run(['services', 'get', 'web'])).stderr).toContain('see `sprite services`');
  });

  it('that cannot run say so, with an exit code of 1', async () => {
    const missing = await cli.run(['services', 'create', 'bad', '--', '/no/such']);
    expect(missing).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('✗ executable file `/no/such` not'),
    });
    const crash = await cli.run(['services', 'create', 'bad', '--', 'sh', '-c', 'exit 7']);
    expect(crash).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('ended by itself with status 7'),
    });
    await cli.run(['services', 'delete', 'bad']);
    for (const args of [['-x', '--', 'true'], ['ok'], ['ok', '--http-port', 'x', '--', 'true']]) {
      expect((await cli.run(['services', 'create', ...args])).code).toBe(2);
    }
  });

  it('end the following of a log when its reader has enough', async () => {
    await cli.run([
      'services',
      'create',
      'talker',
      '--no-stream',
      '--',
      'sh',
      '-c',
      'while sleep 0.05; do echo hi; done',
    ]);
    expect(await cli.shell('"$0" "$1" services logs talker --follow | head -3')).toBe('hi\nhi\nhi\n');
    await cli.run(['services', 'rm', 'talker']);
  });

  it('tasks that programs made are listed', async () => {
    expect((await cli.run(['tasks'])).stderr).toBe(`${name} has no tasks\n`);
    await cli.run(['exec', '--', 'sprite-env', 'tasks', 'create', 'build', '--expire', '10m']);
    expect((await cli.run(['tasks'])).text).toMatch(/^NAME +STARTED +EXPIRES\nbuild +/);
  });

  it('a program at the console opens an address in the browser here, and lets go of the console', async () => {
    const bin = path.join(cli.home, 'bin');
    const opened = path.join(cli.home, 'opened');
    await mkdir(bin);
    await writeFile(path.join(bin, 'xdg-open'), `#!/bin/sh\necho "$@" >> ${opened}\n`);
    await chmod(path.join(bin, 'xdg-open'), 0o755);
    const PATH = `${bin}:${process.env.PATH}`;
    const console = cli.terminal(['console'], { PATH });
    await console.see('$ ');
    console.type('xdg-open "https://example.com/?a=b&c=$(echo d)"\n');
    await expect.poll(() => readFile(opened, 'utf8').catch(() => '')).toBe('https://example.com/?a=b&c=d\n');
    console.type('sprite-console detach\n');
    await console.see('the session runs on');
    expect(await console.end()).toBe(0);
    const again = cli.terminal(['attach'], { PATH });
    await again.see('detach');
    again.type('sprite-browser http://127.0.0.1/; echo do\x27\x27ne\n');
    await again.see('done');
    again.type('exit\n');
    await again.end();
    expect(await readFile(opened, 'utf8')).toBe('https://example.com/?a=b&c=d\n');
  });
});
