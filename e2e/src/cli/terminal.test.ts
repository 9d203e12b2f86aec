import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testServer, uniqueName } from '../server.ts';
import { CommandLine } from './command-line.ts';
import type { Terminal } from './terminal.ts';

describe('sprite on a terminal', () => {
  const name = uniqueName('cli-tty');
  let cli: CommandLine;

  beforeAll(async () => {
    cli = await CommandLine.openFor(testServer());
    const created = await cli.run(['create', '--skip-console', name]);
    if (created.code !== 0) throw new Error(created.stderr);
  });
  afterAll(async () => {
    await cli?.run(['destroy', '--force', name]);
    await cli?.close();
  });

  /** Opens a console whose prompt has come. */
  async function openConsole(env: Readonly<Record<string, string>> = {}): Promise<Terminal> {
    const terminal = cli.terminal(['console', '-s', name], env);
    terminal.type('echo "re""ady"\r');
    await terminal.see('ready');
    return terminal;
  }

  /** Types Ctrl+\ and returns the id of the session that was left. */
  async function detach(terminal: Terminal): Promise<string> {
    terminal.type('\x1c');
    const [, id] = /attach -s \S+ (\S+)/.exec(await terminal.see(/attach -s \S+ \S+/)) ?? [];
    expect(await terminal.end()).toBe(0);
    return id ?? '';
  }

  it('opens a shell of the size of the terminal', async () => {
    const terminal = await openConsole();
    terminal.type('stty size; tty; echo $TERM $0\r');
    await terminal.see('24 80');
    await terminal.see('/dev/');
    await terminal.see(/xterm-256color .*bash/);
    terminal.type('exit 9\r');
    expect(await terminal.end()).toBe(9);
  });

  it('tells the command when the size of the terminal changes', async () => {
    const script = 'trap "stty size" WINCH; echo started; while :; do sleep 0.05; done';
    const terminal = cli.terminal(['exec', '-s', name, '--tty', '--', 'sh', '-c', script]);
    await terminal.see('started');
    terminal.resize(100, 30);
    await terminal.see('30 100');
    await detach(terminal);
  });

  it('detaches with Ctrl+\\ and finds the session again, with what it printed', async () => {
    const first = await openConsole();
    first.type('export KEPT=yes; echo "be""fore"\r');
    await first.see('before');
    const id = await detach(first);
    expect((await cli.run(['sessions', 'list', '-s', name, '--json'])).text).toContain(`"id": "${id}"`);
    const second = cli.terminal(['attach', '-s', name, id]);
    await second.see('before');
    second.type('echo "kept=$KEPT"\r');
    await second.see('kept=yes');
    second.type('exit 3\r');
    expect(await second.end()).toBe(3);
  });

  it('knows Ctrl+\\ of the extended keyboard protocols', async () => {
    const terminal = await openConsole();
    terminal.type('\x1b[92;5u');
    await terminal.see('detached');
    expect(await terminal.end()).toBe(0);
  });

  it('attaches to the only session without being told its id, and kills it', async () => {
    const other = `${name}-b`;
    await cli.run(['create', '--skip-console', other]);
    try {
      const first = cli.terminal([
        'exec',
        '-s',
        other,
        '--tty',
        '--',
        'sh',
        '-c',
        'echo started; exec sleep 300',
      ]);
      await first.see('started');
      const id = await detach(first);
      const second = cli.terminal(['attach', '-s', other]);
      await second.see('started');
      const killed = await cli.run(['sessions', 'kill', '-s', other, id]);
      expect(killed.code).toBe(0);
      expect(await second.end()).toBe(143);
    } finally {
      await cli.run(['destroy', '--force', other]);
    }
  });

  it('puts the terminal back after a detach from a program that had changed it', async () => {
    const script = String.raw`printf '\033[?1049h\033[?2004h\033[?25l\033[?1000hscreen'; exec sleep 300`;
    const terminal = cli.terminal(['exec', '-s', name, '--tty', '--', 'sh', '-c', script]);
    await terminal.see('screen');
    terminal.type('\x1c');
    await terminal.end();
    for (const reset of ['\x1b[?1049l', '\x1b[?2004l', '\x1b[?25h', '\x1b[?1000l']) {
      expect(terminal.screen).toContain(reset);
    }
  });

  it.each(['SIGTERM', 'SIGHUP', 'SIGINT'] as const)(
    'leaves a usable terminal behind after %s',
    async (signal) => {
      const script =
        '"$0" "$1" exec -s "$2" --tty -- sh -c "echo started; exec sleep 300"; stty -a; echo "do""ne"';
      const terminal = cli.terminalShell(script, [name]);
      await terminal.see('started');
      await cli.signalChild(terminal.pid, signal);
      await terminal.see(/[^-]icanon/);
      await terminal.see(/[^-]echo\b/);
      await terminal.see('done');
      expect(await terminal.end()).toBe(0);
    },
  );

  it('asks which sprite when none is named', async () => {
    const terminal = cli.terminal(['info']);
    await terminal.see('Which sprite?');
    terminal.type(name);
    await terminal.see(name);
    terminal.type('\r');
    await terminal.see('isolation');
    expect(await terminal.end()).toBe(0);
  });

  it('gives up a question on Ctrl-C', async () => {
    const terminal = cli.terminal(['info']);
    await terminal.see('Which sprite?');
    terminal.type('\x03');
    await terminal.see('cancelled');
    expect(await terminal.end()).toBe(130);
  });
});
