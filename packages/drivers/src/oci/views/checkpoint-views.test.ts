import { constants } from 'node:fs';
import { copyFile, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { listLoopFiles } from '@sprites/linux';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createOciFixture, createOciWorld, type OciFixture, type OciWorld } from '../fixture.ts';

const ids = ['v1', 'v2'] as const;
let world: OciWorld;
let fixture: OciFixture;

beforeAll(async () => {
  world = await createOciWorld();
  fixture = await createOciFixture(world);
  await start(1);
  await sh('echo one > /root/file; chown 1000:1000 /root/file; rm /usr/bin/dmesg');
  const { diskFile } = await fixture.spec(1);
  for (const n of [1, 3]) {
    await mkdir(join(world.dir, `saved-${n}`));
    for (const id of ids) {
      await fixture.driver.quiesce('sprite_1', () =>
        copyFile(diskFile, fileOf(id, n), constants.COPYFILE_FICLONE),
      );
    }
  }
  await sh('echo now > /root/file');
});

afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

async function start(n: number): Promise<void> {
  await fixture.driver.start(await fixture.spec(n), async () => undefined, AbortSignal.timeout(20_000));
}

/** Runs a shell command as root inside a sprite; resolves to what it printed. */
async function sh(command: string, spriteId = 'sprite_1'): Promise<string> {
  const value = await fixture.evaluate(spriteId, `return sh(${JSON.stringify(command)})`);
  if (typeof value !== 'object' || value === null || !('output' in value)) throw new Error('no answer');
  return String(value.output);
}

/** A saved disk of a sprite. */
function fileOf(id: string, n: number): string {
  return join(world.dir, `saved-${n}`, `${id}.ext4`);
}

function show(shown: readonly string[], n = 1, { views } = fixture.driver): Promise<void> {
  return views.show(
    `sprite_${n}`,
    shown.map((id) => ({
      id,
      file: fileOf(id, n),
      imageFile: world.imageFile,
      imageDigest: world.imageDigest,
    })),
  );
}

async function attached(n = 1): Promise<number> {
  return (await listLoopFiles()).filter((file) => file.startsWith(join(world.dir, `saved-${n}/`))).length;
}

const at = '/.sprite/checkpoints';

describe('saved disks inside a machine', () => {
  it('cost nothing until they are read, and are whole trees with their owners', async () => {
    await show(['v1', 'v2']);
    expect(await sh(`ls ${at}; stat -c %F ${at}/v1`)).toBe('v1\nv2\ndirectory\n');
    expect(await attached()).toBe(0);
    expect(
      await sh(
        `cat ${at}/v1/root/file; stat -c '%u %g' ${at}/v1/root/file; ls ${at}/v1/usr/bin/cat ${at}/v1/usr/bin/dmesg`,
      ),
    ).toMatch(/^one\n1000 1000\n.*usr\/bin\/cat\n|No such file/);
    expect(await sh(`ls ${at}/v1/usr/bin/dmesg 2>&1`)).toContain('No such file');
    expect(await attached()).toBe(1);
  });

  it('come and go while the machine runs', async () => {
    expect(await sh(`cat ${at}/v1/root/file`)).toBe('one\n');
    await show(['v2']);
    expect(await sh(`ls ${at}`)).toBe('v2\n');
    await expect.poll(() => attached()).toBe(0);
    await show(['v1', 'v2']);
    expect(await sh(`cat ${at}/v1/root/file ${at}/v2/root/file; ls ${at}`)).toBe('one\none\nv1\nv2\n');
  });

  it('cannot be written, remounted or replaced by root inside', async () => {
    const tries = `echo x > ${at}/v1/root/file; echo x > ${at}/v1/new; rm ${at}/v1/etc/passwd; mkdir ${at}/v9; rm -r ${at}/v1
      touch ${at}/x; mount -o remount,rw ${at}/v1; mount -o remount,bind,rw ${at}/v1; mount -o remount,rw ${at}
      mount -o remount,bind,rw,suid,dev ${at}; mkdir ${at}/v8; chown 0 ${at}; chmod 777 ${at}; touch ${at}/v1/y`;
    await sh(tries);
    expect(
      await sh(`cat ${at}/v1/root/file; ls ${at}; ls ${at}/v1/new ${at}/v1/y 2>&1 | grep -c cannot`),
    ).toMatch(/^one\nv1\nv2\n/);
    expect(await sh(`cat ${at}/v1/etc/passwd`)).toContain('sprite:');
  });

  it('are not in reach of another machine', async () => {
    await start(2);
    expect(await sh(`ls -A ${at}`, 'sprite_2')).toBe('');
  });

  it('stay readable for who has them open, and are bounded in number all the same', async () => {
    for (let round = 0; round < 13; round++) {
      await sh(`mkdir -p /tmp/kept-${round}; mount --bind ${at}/v1/root /tmp/kept-${round}`);
      await show(['v2']);
      await show(['v1', 'v2']);
    }
    expect(await sh('cat /tmp/kept-0/file')).toBe('one\n');
    expect(await attached()).toBeLessThanOrEqual(12);
    expect(await sh(`ls ${at}/v1 2>&1`)).toContain('No such file');
    await sh(
      'for i in $(seq 0 12); do umount /tmp/kept-$i; done 2>/dev/null; for d in /tmp/kept-*; do umount $d; done 2>/dev/null',
    );
    expect(await sh(`cat ${at}/v1/root/file`)).toBe('one\n');
  });

  it('are refused to who took them away, at no cost', async () => {
    await sh(`umount ${at}/v2; umount ${at}/v1 ${at}/v1`);
    await Promise.all([1, 2, 3].map(() => sh(`ls ${at}/v1/root`)));
    expect(await attached()).toBeLessThanOrEqual(2);
  });

  it('are set anew by the next server', async () => {
    await start(3);
    await show(['v1'], 3);
    const next = await fixture.reopen();
    await next.repair();
    await show(['v1', 'v2'], 3, next);
    expect(await sh(`cat ${at}/v1/root/file ${at}/v2/root/file`, 'sprite_3')).toBe('one\none\n');
    await next.stop('sprite_3');
  });

  it('are released with the machine, whoever reads them', async () => {
    await start(3);
    await show(['v1'], 3);
    await fixture.evaluate(
      'sprite_3',
      `require('node:child_process').spawn('sh', ['-c', 'cd ${at}/v1/root && exec sleep 1000 < file'], { detached: true, stdio: 'ignore' }).unref();`,
    );
    await expect.poll(() => attached(3)).toBe(1);
    for (const n of [1, 2, 3]) await fixture.driver.stop(`sprite_${n}`);
    expect([await attached(1), await attached(3)]).toEqual([0, 0]);
    expect(await readdir(join(fixture.runDir, 'machines'))).toEqual([]);
  });
});
