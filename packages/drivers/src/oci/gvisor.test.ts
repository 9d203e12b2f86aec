import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { SpriteError } from '@sprites/contract';
import { openEmptyNetns } from '@sprites/linux';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { describeDriver } from '../conformance.ts';
import { createOciFixture, createOciWorld } from './fixture.ts';
import { connectGuestSocket } from './guest-socket.ts';
import { missingInGvisor, parseProbeAnswer, readGvisorFlags } from './gvisor.ts';
import { RunDir } from './run-dir.ts';

const world = await createOciWorld();
afterAll(() => world[Symbol.asyncDispose]());

/** Why runsc cannot be used on this host; undefined when it can. */
const refusal = await createOciFixture(world, 'runsc').then(
  async (fixture) => {
    await fixture[Symbol.asyncDispose]();
    return undefined;
  },
  (error: unknown) => error,
);

describe.skipIf(refusal !== undefined)(refusal === undefined ? 'with runsc' : String(refusal), () => {
  describeDriver('OciDriver with runsc', async () => {
    const fixture = await createOciFixture(world, 'runsc');
    return {
      driver: fixture.driver,
      spec: fixture.spec,
      die: async (spriteId) => {
        await fixture.evaluate(spriteId, 'setTimeout(() => process.exit(0), 5)');
      },
      [Symbol.asyncDispose]: () => fixture[Symbol.asyncDispose](),
    };
  });

  it('runs sprites on another kernel, says so, and keeps their files over a stop', async () => {
    await using f = await createOciFixture(world, 'runsc');
    expect(f.driver.isolation).toBe('gvisor');
    const spec = await f.spec(1);
    await f.driver.start(spec, async () => undefined, AbortSignal.timeout(20_000));
    const first = `return sh('echo kept > /home/sprite/file; chown 1000:1000 /home/sprite/file; dmesg')`;
    expect(await f.evaluate('sprite_1', first)).toMatchObject({ output: expect.stringContaining('gVisor') });
    await f.driver.stop('sprite_1');
    await f.driver.start(spec, async () => undefined, AbortSignal.timeout(20_000));
    const second = `return sh('cat /home/sprite/file; stat -c %u /home/sprite/file')`;
    expect(await f.evaluate('sprite_1', second)).toMatchObject({ output: 'kept\n1000\n' });
  });

  it('ends machines of another isolation when it repairs', async () => {
    await using f = await createOciFixture(world, 'runsc');
    await f.driver.start(await f.spec(1), async () => undefined, AbortSignal.timeout(20_000));
    const later = await f.reopen('runc');
    await later.repair();
    expect(await later.list()).toEqual([]);
  });
});

describe('a runsc that is not usable', () => {
  it.skipIf(refusal === undefined)('is refused with what is wrong and what to do', () => {
    expect(refusal).toMatchObject({ code: 'not_supported' });
    expect(String(refusal)).toMatch(/install .*or use runtime runc/);
  });

  it('is refused by a trial of the real program', async () => {
    const bin = await mkdtemp(join(world.dir, 'bin-'));
    await writeFile(
      join(bin, 'runsc'),
      '#!/bin/sh\n[ "$1" = flags ] || { echo "no sandbox here" >&2; exit 9; }\n',
    );
    await chmod(join(bin, 'runsc'), 0o755);
    vi.stubEnv('PATH', `${bin}:${process.env.PATH}`);
    try {
      const opening = createOciFixture(world, 'runsc');
      await expect(opening).rejects.toMatchObject({ code: 'not_supported' });
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('is named with everything it lacks', () => {
    const error = missingInGvisor(['wheels', 'wings']);
    expect(error).toBeInstanceOf(SpriteError);
    expect(error.message).toContain('has no wheels and no wings; install a recent one');
  });
});

describe('readGvisorFlags', () => {
  it('uses flags of newer versions only where they exist', async () => {
    const bin = await mkdtemp(join(world.dir, 'bin-'));
    await writeFile(join(bin, 'runsc'), '#!/bin/sh\necho "  -allow-suid" >&2; echo "    	text" >&2\n');
    await chmod(join(bin, 'runsc'), 0o755);
    vi.stubEnv('PATH', `${bin}:${process.env.PATH}`);
    try {
      const flags = await readGvisorFlags();
      expect(flags).toContain('--allow-suid');
      expect(flags).not.toContain('--overlay2=none');
    } finally {
      vi.unstubAllEnvs();
    }
  });
});

describe('connectGuestSocket', () => {
  it.each([
    ['a link', (path: string) => symlink(join(world.dir, 'victim'), path)],
    ['a file', (path: string) => writeFile(path, '')],
    ['a directory', (path: string) => mkdir(path)],
  ])('refuses %s that the guest put in the place of its socket', async (_, put) => {
    const victim = createServer().listen(join(world.dir, 'victim'));
    await once(victim, 'listening');
    try {
      const machine = new RunDir(await mkdtemp(join(world.dir, 'run-'))).machine('sprite_1');
      await mkdir(machine.socketDir, { recursive: true });
      await put(machine.guestSocket);
      expect(() => connectGuestSocket(machine, openEmptyNetns())).toThrow('something else');
    } finally {
      victim.close();
    }
  });
});

describe('parseProbeAnswer', () => {
  it('reads what is missing', () => {
    expect(parseProbeAnswer('{"missing":["wheels"]}')).toEqual(['wheels']);
  });

  it.each(['{}', '[]', '{"missing":1}', 'null'])('refuses %s', (text) => {
    expect(() => parseProbeAnswer(text)).toThrow('the trial program answered');
  });
});
