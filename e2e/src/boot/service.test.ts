import { execFile } from 'node:child_process';
import { access, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';

const run = promisify(execFile);
const program = resolve(import.meta.dirname, '../../../packages/server/bin/sprites-server.sh');
const secret = 'of"the$house`and\\more';

type Outcome = { readonly stdout: string; readonly stderr: string; readonly code: number };

async function service(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const done = run(program, ['service', ...args], { env: { PATH: process.env.PATH, ...env } });
  return done.then(
    (said) => ({ ...said, code: 0 }),
    (error: unknown) => Object(error),
  );
}

async function otherSystem(): Promise<{
  readonly root: string;
  readonly unit: string;
  readonly settings: string;
}> {
  const root = await mkdtemp(join(tmpdir(), 'system-'));
  onTestFinished(() => rm(root, { recursive: true }));
  return {
    root,
    unit: join(root, 'etc/systemd/system/sprites.service'),
    settings: join(root, 'etc/sprites/sprites.env'),
  };
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
const hasSystemd = await exists('/run/systemd/system');
const hasVerify = (await exists('/usr/bin/systemd-analyze')) && (await exists('/usr/lib/systemd/system'));

describe('sprites-server service', () => {
  it('writes a unit that all may read without the settings, which only root may read', async () => {
    const { root, unit, settings } = await otherSystem();
    const args = ['--root', root, '--data-dir', '/srv/100% mine'];
    expect((await service(['install', ...args], { SPRITES_BOOTSTRAP_TOKEN: secret })).code).toBe(0);
    expect((await stat(unit)).mode & 0o777).toBe(0o644);
    expect((await stat(settings)).mode & 0o777).toBe(0o600);
    const text = await readFile(unit, 'utf8');
    expect(text).not.toContain('house');
    expect(text).toContain('KillMode=process\n');
    expect(text).toContain('RequiresMountsFor="/srv/100%% mine"');
    // as systemd reads it, which is as a shell would
    const { stdout } = await run('sh', [
      '-c',
      `. "$0"; printf '%s|%s' "$SPRITES_DATA_DIR" "$SPRITES_BOOTSTRAP_TOKEN"`,
      settings,
    ]);
    expect(stdout).toBe(`/srv/100% mine|${secret}`);
  });

  it.skipIf(!hasVerify)('writes a unit that systemd finds nothing wrong with', async () => {
    const { root, unit } = await otherSystem();
    await service(['install', '--root', root, '--data-dir', '/srv/100% mine']);
    const { stdout, stderr } = await run('systemd-analyze', ['verify', '--man=no', unit]);
    expect(`${stdout}${stderr}`).not.toContain('sprites.service');
  });

  it('keeps what people wrote into the settings when it installs again, and when it goes', async () => {
    const { root, unit, settings } = await otherSystem();
    await service(['install', '--root', root, '--data-dir', '/srv/sprites', '--cpus', '2']);
    await writeFile(settings, `${await readFile(settings, 'utf8')}# ours\nSPRITES_DISK_GB=7\n`);
    await service(['install', '--root', root, '--cpus', '3']);
    expect(await readFile(settings, 'utf8')).toMatch(
      /SPRITES_DATA_DIR=\/srv\/sprites\n# ours\nSPRITES_DISK_GB=7\nSPRITES_CPUS=3\n$/,
    );
    expect(await readFile(unit, 'utf8')).toContain('RequiresMountsFor=/srv/sprites ');
    expect((await service(['uninstall', '--root', root])).code).toBe(0);
    expect([await exists(unit), await exists(settings)]).toEqual([false, true]);
    expect(await service(['uninstall', '--root', root])).toMatchObject({ code: 1 });
    expect(await service(['status', '--root', root])).toMatchObject({ code: 3 });
  });

  it('shows what it would write, without secrets and without writing', async () => {
    const { root, unit } = await otherSystem();
    const { stdout } = await service(['install', '--print', '--root', root], {
      SPRITES_BOOTSTRAP_TOKEN: secret,
    });
    expect(stdout).toContain('[Service]');
    expect(stdout).toContain('SPRITES_BOOTSTRAP_TOKEN=…');
    expect(stdout).not.toContain('house');
    expect(await exists(unit)).toBe(false);
  });

  it.skipIf(hasSystemd)('says what to do where systemd does not run', async () => {
    const { code, stderr } = await service(['install']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/systemd does not run on this host.*--print.*--root/);
  });

  it.each([
    ['a setting out of range', ['install', '--print', '--cpus', '0']],
    ['a unit name with a slash', ['status', '--name', '../x']],
    ['a line break', ['install', '--print', '--data-dir', '/srv/a\nExecStartPre=/bin/evil']],
  ])('refuses %s', async (_, args) => {
    const { code, stdout } = await service(args);
    expect(code).toBe(1);
    expect(stdout).toBe('');
  });
});
