import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testServer, uniqueName } from '../server.ts';
import { CommandLine } from './command-line.ts';
import { until } from './until.ts';

const server = testServer();

describe('sprite without a login', () => {
  let cli: CommandLine;

  beforeAll(async () => {
    cli = await CommandLine.open();
  });
  afterAll(() => cli.close());

  it('says what to do', async () => {
    const ended = await cli.run(['list']);
    expect(ended).toMatchObject({ code: 1, stderr: 'sprite: not logged in; run `sprite login <api-url>`\n' });
  });

  it('works with nothing but environment variables', async () => {
    const env = { SPRITES_API_URL: server.baseURL, SPRITE_TOKEN: server.token };
    const ended = await cli.run(['list', '--json'], { env });
    expect(ended.code).toBe(0);
    expect(Array.isArray(JSON.parse(ended.text))).toBe(true);
  });

  it('stores no token that the server does not accept', async () => {
    const ended = await cli.run(['login', server.baseURL], { input: 'personal/org_x/tok_x/wrong' });
    expect(ended).toMatchObject({
      code: 1,
      stderr: `sprite: ${server.baseURL} does not accept this token\n`,
    });
    await expect(readFile(cli.file)).rejects.toThrow('ENOENT');
  });

  it('tells a server that is not there from one that refuses', async () => {
    const ended = await cli.run(['login', 'http://127.0.0.1:1', '--token', server.token]);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('cannot reach http://127.0.0.1:1');
  });

  it.each([[['bogus']], [['list', '--bogus']], [['exec']], [['completion', 'tcsh']], [['auth', 'setup']]])(
    'ends %j with 2',
    async (args) => {
      expect((await cli.run(args)).code).toBe(2);
    },
  );

  it('prints its version and its help to stdout', async () => {
    expect((await cli.run(['--version'])).text).toMatch(/^sprite \d+\.\d+\.\d+\n$/);
    const help = await cli.run(['exec', '--help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.text).toContain('Examples:');
  });
});

describe('sprite with a login', () => {
  const name = uniqueName('cli');
  let cli: CommandLine;

  beforeAll(async () => {
    cli = await CommandLine.openFor(server);
    const created = await cli.run(['create', '--skip-console', '--label', 'a', '--label', 'b', name]);
    if (created.code !== 0) throw new Error(created.stderr);
  });
  afterAll(async () => {
    await cli?.run(['destroy', '--force', name]);
    await cli?.close();
  });

  it('lists sprites by prefix, for people and for programs', async () => {
    const table = await cli.run(['list', '--prefix', name]);
    expect(table.text).toMatch(new RegExp(`^NAME .*\n${name} +\\w+ .*a, b`));
    const [sprite] = JSON.parse((await cli.run(['ls', '--prefix', name, '--json'])).text);
    expect(sprite).toMatchObject({ name, labels: ['a', 'b'] });
  });

  it('shows changes as they happen', async () => {
    const other = `${name}-w`;
    const ended = await cli.run(['list', '-w', '--json', '--prefix', name], {
      during: async (pid, said) => {
        await until(() => said().includes(`"${name}"`));
        await cli.run(['create', '--skip-console', other]);
        await cli.run(['destroy', '--force', other]);
        await until(() => said().includes('"deleted"'));
        process.kill(pid, 'SIGINT');
      },
    });
    const events = ended.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events).toContainEqual(expect.objectContaining({ name: other, type: 'deleted' }));
  });

  it('tells a name that is taken, not there or not one at all', async () => {
    const create = (sprite: string) => cli.run(['create', '--skip-console', sprite]);
    expect(await create(name)).toMatchObject({ code: 1, stderr: expect.stringContaining('already exists') });
    expect(await create('No.Such')).toMatchObject({ code: 1, stderr: expect.stringContaining('lower-case') });
    expect(await cli.run(['info', 'nowhere'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('not found'),
    });
  });

  it('remembers the sprite of a directory', async () => {
    expect((await cli.run(['use', name])).code).toBe(0);
    const file = JSON.parse(await readFile(path.join(cli.home, '.sprite'), 'utf8'));
    expect(file).toEqual({ organization: 'personal', sprite: name });
    expect((await cli.run(['exec', 'hostname'])).text).toBe(`${name}\n`);
    expect(JSON.parse((await cli.run(['info', '--json'])).text)).toMatchObject({ name });
    await cli.run(['use', '--unset']);
    expect((await cli.run(['exec', 'hostname'])).code).toBe(2);
  });

  it('takes one sprite from SPRITE_URL', async () => {
    const env = { SPRITE_URL: `${server.baseURL}/v1/sprites/${name}` };
    expect((await cli.run(['exec', 'hostname'], { env })).text).toBe(`${name}\n`);
  });

  it('calls the API with curl and no token on its command line', async () => {
    const whole = await cli.run(['api', `/sprites/${name}`]);
    expect(JSON.parse(whole.text)).toMatchObject({ name });
    const below = await cli.run(['api', '-s', name, '/exec', '--', '-w', '%{http_code}']);
    expect(below.text).toContain('"sessions"');
    expect(below.text.endsWith('200')).toBe(true);
  });

  it('asks nobody before it deletes when there is nobody', async () => {
    const ended = await cli.run(['destroy', name]);
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('--force') });
    expect((await cli.run(['info', name])).code).toBe(0);
  });

  it('restarts a sprite, and files stay', async () => {
    await cli.run(['exec', '-s', name, '--', 'sh', '-c', 'echo kept > /home/sprite/f']);
    expect((await cli.run(['restart', name])).code).toBe(0);
    expect((await cli.run(['exec', '-s', name, '--', 'cat', '/home/sprite/f'])).text).toBe('kept\n');
  });

  it('lets a detachable command run on, lists and kills it', async () => {
    const started = await cli.run(
      ['exec', '-s', name, '-detachable', '--', 'sh', '-c', 'echo on; exec sleep 300'],
      {
        during: async (pid, said) => {
          await until(() => said().includes('on'));
          process.kill(pid, 'SIGKILL');
        },
      },
    );
    expect(started.text).toBe('on\n');
    const list = JSON.parse((await cli.run(['s', '-s', name, '--json'])).text);
    expect(list).toHaveLength(1);
    const killed = await cli.run(['sessions', 'kill', '-s', name, list[0].id]);
    expect(killed.code).toBe(0);
    expect((await cli.run(['sessions', '-s', name])).stderr).toContain('no session is running');
    const gone = await cli.run(['attach', '-s', name, list[0].id]);
    expect(gone).toMatchObject({ code: 1, stderr: expect.stringContaining('sprite sessions') });
  });

  it('completes names of sprites', async () => {
    const ended = await cli.run(['__complete', '--', 'exec', '-s', name.slice(0, 8)]);
    expect(ended.text.split('\n')).toContain(name);
  });

  it('compares its version with the server’s', async () => {
    expect(JSON.parse((await cli.run(['upgrade', '--check', '--json'])).text)).toMatchObject({
      current: true,
    });
  });
});

describe('sprite org', () => {
  let cli: CommandLine;

  beforeAll(async () => {
    cli = await CommandLine.openFor(server);
    const added = await cli.run(['org', 'auth', server.baseURL], { input: server.otherToken });
    if (added.code !== 0) throw new Error(added.stderr);
  });
  afterAll(() => cli.close());

  const orgs = async () => JSON.parse((await cli.run(['org', 'list', '--json'])).text);

  it('keeps several organizations and switches between them', async () => {
    const other = (await orgs()).find((one: { current: boolean }) => one.current).org;
    expect(other).not.toBe('personal');
    expect((await cli.run(['org', 'auth', '-o', 'personal'])).code).toBe(0);
    const current = (await orgs()).filter((one: { current: boolean }) => one.current);
    expect(current).toMatchObject([{ org: 'personal', storage: 'file' }]);
    expect((await cli.run(['-o', other, 'list', '--json'])).code).toBe(0);
    expect((await cli.run(['org', 'logout', '--force', '-o', other])).code).toBe(0);
    expect(await orgs()).toHaveLength(1);
  });

  it('never shows a secret', async () => {
    const { text } = await cli.run(['org', 'list']);
    expect(text).not.toContain(server.token.split('/').at(-1));
  });

  it('stores a token unasked for automation', async () => {
    const ended = await cli.run(['auth', 'setup', '--token', 'far/org_1/tok_1/s', 'https://far.example.com']);
    expect(ended.code).toBe(0);
    expect(await orgs()).toContainEqual(
      expect.objectContaining({ org: 'far', url: 'https://far.example.com' }),
    );
  });

  it('forgets everything at logout but what is not its own', async () => {
    const file = JSON.parse(await readFile(cli.file, 'utf8'));
    await writeFile(cli.file, JSON.stringify({ ...file, other: 1 }));
    expect((await cli.run(['logout'])).code).toBe(0);
    expect(JSON.parse(await readFile(cli.file, 'utf8'))).toEqual({ version: '1', other: 1 });
  });

  it('leaves a damaged file as it is', async () => {
    await writeFile(cli.file, '{');
    const ended = await cli.run(['list']);
    expect(ended).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('not valid JSON and was left as it is'),
    });
    expect(await readFile(cli.file, 'utf8')).toBe('{');
  });
});
