import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandLine, type Ended } from '../cli/command-line.ts';
import { testServer, uniqueName } from '../server.ts';

const server = testServer();

describe('checkpoints on the command line', () => {
  const name = uniqueName('clicp');
  let cli: CommandLine;

  beforeAll(async () => {
    cli = await CommandLine.openFor(server);
    await cli.run(['create', '--skip-console', name]);
    await cli.run(['use', name]);
    await inside('echo one > file');
  });
  afterAll(async () => {
    await cli?.run(['destroy', '--force', name]);
    await cli?.close();
  });

  function inside(script: string, sprite = name): Promise<Ended> {
    return cli.run(['exec', '-s', sprite, '--', 'sh', '-c', script]);
  }

  it('are created with progress for people and the id for programs', async () => {
    const first = await cli.run(['checkpoint', 'create', '--comment', 'first one']);
    expect(first).toMatchObject({ code: 0, text: 'v1\n' });
    expect(first.stderr).toMatch(/saving the disk …\n.*sprite restore v1\n$/);
    const second = await cli.run(['checkpoints', 'create', '--json', '-s', name]);
    expect(JSON.parse(second.text)).toMatchObject({ id: 'v2', sourceId: 'v1' });
  });

  it('are listed, filtered and shown', async () => {
    const table = await cli.run(['checkpoint']);
    expect(table.text).toMatch(
      /^ID +CREATED +BASED ON +SIZE +OWN +COMMENT\nCurrent +live +v2 +\S+ MiB +\S+ \w+ +-\nv2 .*\nv1 .* first one\n$/,
    );
    const json = await cli.run(['checkpoint', 'ls', '--history', 'v2', '--json']);
    expect(JSON.parse(json.text).map(({ id }: { id: string }) => id)).toEqual(['Current', 'v2']);
    expect((await cli.run(['checkpoint', 'list', '--history', 'v9'])).stderr).toContain('descends from v9');
    const info = await cli.run(['checkpoint', 'info', 'v2']);
    expect(info.text).toMatch(/^id +v2\n(.*\n)*history +v1 → v2\n/);
    expect((await cli.run(['checkpoint', 'info', 'Current', '--json'])).code).toBe(0);
  });

  it('are restored, and the way back is shown', async () => {
    await inside('echo two > file');
    const restored = await cli.run(['restore', 'v1']);
    expect(restored).toMatchObject({ code: 0, text: '' });
    expect(restored.stderr).toMatch(/✓ restored v1 of /);
    expect((await inside('cat file')).text).toBe('one\n');
    const [, undo = ''] = /saved it as (auto-\S+);/.exec(restored.stderr) ?? [];
    expect((await cli.run(['checkpoint', 'list'])).text).not.toContain(undo);
    expect((await cli.run(['checkpoint', 'list', '--include-auto'])).text).toContain(undo);
    expect((await cli.run(['checkpoint', 'restore', undo])).code).toBe(0);
    expect((await inside('cat file')).text).toBe('two\n');
  });

  it('are forked, live and saved', async () => {
    const copies = [`${name}-a`, `${name}-b`] as const;
    try {
      const saved = await cli.run(['fork', copies[0], '--from', 'v1']);
      expect(saved).toMatchObject({ code: 0, text: expect.stringMatching(/^http/) });
      const live = await cli.run(['fork', '--label', 'x', '--json', copies[1]]);
      expect(JSON.parse(live.text)).toMatchObject({ name: copies[1], labels: ['x'] });
      expect((await inside('cat file', copies[0])).text).toBe('one\n');
      expect((await inside('cat file', copies[1])).text).toBe('two\n');
      const again = await cli.run(['fork', copies[1]]);
      expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('already exists') });
    } finally {
      for (const copy of copies) await cli.run(['destroy', '--force', copy]);
    }
  });

  it('are deleted, and what cannot be says why', async () => {
    expect((await cli.run(['checkpoint', 'create'])).text).toBe('v3\n');
    expect((await cli.run(['checkpoint', 'rm', 'v2'])).code).toBe(0);
    const based = await cli.run(['checkpoint', 'delete', 'v3']);
    expect(based).toMatchObject({ code: 1, stderr: expect.stringContaining('based on checkpoint v3') });
    const gone = await cli.run(['restore', 'v2']);
    expect(gone).toMatchObject({ code: 1, stderr: expect.stringContaining('see `sprite checkpoint list') });
  });

  it.each([
    [['restore', '../v1']],
    [['restore', '']],
    [['checkpoint', 'info', 'v1/restore']],
    [['fork', 'copy', '--from', '..']],
    [['fork', name]],
    [['restore']],
    [['checkpoint', 'delete']],
    [['fork']],
    [['checkpoint', 'bogus']],
  ])('ends %j with 2', async (args) => {
    expect((await cli.run(args)).code).toBe(2);
  });

  it('asks for what is missing when there is somebody to ask', async () => {
    const terminal = cli.terminal(['restore']);
    await terminal.see('Restore which checkpoint?');
    await terminal.see('v3');
    terminal.type('v1');
    await terminal.see('v1');
    terminal.type('\r');
    await terminal.see('restored v1');
    expect(await terminal.end()).toBe(0);
    expect((await inside('cat file')).text).toBe('one\n');
  });

  it('are proposed by completion', async () => {
    const proposed = await cli.run(['__complete', '--', 'restore', 'v']);
    expect(proposed.text.trim().split('\n')).toEqual(['v3', 'v1']);
  });
});
