import { mkdir, readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SpriteError } from '@sprites/contract';
import { attachLoop, hasCode, listMounts, mount, unmount } from '@sprites/linux';
import type { AgentRuntime } from './agent-runtime.ts';
import type { RunDir } from './run-dir.ts';

/** Mounts that all machines of this server share: base images and agent runtimes, each mounted once and read-only. */
export class SharedMounts {
  readonly #runDir: RunDir;
  readonly #pending = new Map<string, Promise<string>>();

  constructor(runDir: RunDir) {
    this.#runDir = runDir;
  }

  /** Mounts the image unless it is, and answers where. */
  image(digest: string, file: string): Promise<string> {
    const hex = digest.replace(/^sha256:/, '');
    if (!/^[0-9a-f]{8,64}$/.test(hex)) {
      throw new SpriteError('wake_failed', `image digest ${JSON.stringify(digest)} is not sha256 in hex`);
    }
    return this.#once(join(this.#runDir.images, hex), (target) => mountImage(file, target));
  }

  /** Binds the agent runtime unless it is, and answers where. */
  agent(runtime: AgentRuntime): Promise<string> {
    return this.#once(join(this.#runDir.agents, runtime.hash), async (target) => {
      await mount({ source: runtime.dir, target, flags: ['bind'] });
      const flags = ['bind', 'remount', 'read-only', 'nosuid', 'nodev'] as const;
      await mount({ source: runtime.dir, target, flags });
    });
  }

  /** Unmounts images of an earlier server process that no machine is made of. Agent runtimes stay; they cost nothing. */
  async releaseImages(digestsInUse: ReadonlySet<string>): Promise<void> {
    const inUse = new Set([...digestsInUse].map((digest) => digest.replace(/^sha256:/, '')));
    for (const hex of await readdir(this.#runDir.images)) {
      const target = join(this.#runDir.images, hex);
      if (!inUse.has(hex) && !this.#pending.has(target)) await removeMountPoint(target);
    }
  }

  /** Unmounts everything; no machine may be running. */
  async releaseAll(): Promise<void> {
    this.#pending.clear();
    for (const dir of [this.#runDir.images, this.#runDir.agents]) {
      for (const name of await readdir(dir)) await removeMountPoint(join(dir, name));
    }
  }

  async #once(target: string, make: (target: string) => Promise<void>): Promise<string> {
    const running = this.#pending.get(target) ?? mountOnce(target, make);
    this.#pending.set(target, running);
    try {
      return await running;
    } catch (error) {
      this.#pending.delete(target);
      throw error;
    }
  }
}

async function mountOnce(target: string, make: (target: string) => Promise<void>): Promise<string> {
  await mkdir(target, { recursive: true, mode: 0o755 });
  const isMounted = (await listMounts()).some((entry) => entry.target === target);
  if (!isMounted) await make(target);
  return target;
}

async function removeMountPoint(target: string): Promise<void> {
  while (await unmount(target));
  await rmdir(target);
}

async function mountImage(file: string, target: string): Promise<void> {
  const flags = ['read-only', 'nodev', 'noatime'] as const;
  try {
    await mount({ source: file, target, type: 'erofs', flags });
  } catch (error) {
    // kernels before 6.12 mount block devices only
    if (!hasCode(error, 'ENOTBLK', 'EINVAL')) throw error;
    await using device = await attachLoop({ file, readOnly: true });
    await mount({ source: device.path, target, type: 'erofs', flags });
  }
}
