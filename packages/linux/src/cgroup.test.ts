import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Cgroup, findCgroups } from './cgroup.ts';

async function fixture() {
  const layout = await findCgroups();
  if (layout === undefined) throw new Error('no cgroup2 hierarchy on this host');
  const path = `/sprites-test-${crypto.randomUUID().slice(0, 8)}`;
  const cgroup = new Cgroup(layout, path);
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  if (child.pid === undefined) throw new Error('sleep did not start');
  await cgroup.adopt(child.pid);
  return {
    cgroup,
    child,
    dir: join(layout.unified, path),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await cgroup.waitEmpty(AbortSignal.timeout(5000));
      await cgroup.remove();
    },
  };
}

describe('Cgroup', () => {
  it('kills what is in it and says when it is empty', async () => {
    await using f = await fixture();
    expect(await f.cgroup.isPopulated()).toBe(true);
    const empty = f.cgroup.waitEmpty(AbortSignal.timeout(5000));
    await f.cgroup.kill();
    await empty;
    expect(await f.cgroup.isPopulated()).toBe(false);
    await f.cgroup.remove();
    expect(existsSync(f.dir)).toBe(false);
  });

  it('stops waiting when the signal aborts', async () => {
    await using f = await fixture();
    const abort = new AbortController();
    const waiting = f.cgroup.waitEmpty(abort.signal);
    abort.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    expect(f.child.exitCode).toBeNull();
  });

  it('stops its processes where they are, lets them go on, and kills frozen ones', async () => {
    await using f = await fixture();
    await f.cgroup.freeze(AbortSignal.timeout(5000));
    expect(await f.cgroup.frozen()).toBe('yes');
    await f.cgroup.freeze(AbortSignal.timeout(5000));
    await f.cgroup.reclaim();
    expect(f.cgroup.thaw()).toBe(true);
    expect(await f.cgroup.frozen()).toBe('no');
    await f.cgroup.freeze(AbortSignal.timeout(5000));
    await f.cgroup.kill();
    await f.cgroup.waitEmpty(AbortSignal.timeout(5000));
  });

  it('lets everything go on when a freeze is given up', async () => {
    await using f = await fixture();
    await expect(f.cgroup.freeze(AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
    expect(await f.cgroup.frozen()).toBe('no');
  });

  it('treats a cgroup that does not exist as empty', async () => {
    await using f = await fixture();
    f.child.kill('SIGKILL');
    await once(f.child, 'exit');
    await f.cgroup.remove();
    await f.cgroup.freeze(AbortSignal.timeout(1000));
    expect(f.cgroup.thaw()).toBe(false);
    expect(await f.cgroup.frozen()).toBe('no');
    await f.cgroup.kill();
    await f.cgroup.waitEmpty(AbortSignal.timeout(1000));
    await f.cgroup.remove();
  });
});
