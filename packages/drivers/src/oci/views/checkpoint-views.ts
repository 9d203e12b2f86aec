import { mkdir, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Clock, type InsideView, type InsideViews, Turns } from '@sprites/core';
import {
  AutofsDirectory,
  clearAutofs,
  hasCode,
  listLoopFiles,
  listMounts,
  mount,
  unmountLazily,
} from '@sprites/linux';
import type { MachineDir, RunDir } from '../run-dir.ts';
import type { SharedMounts } from '../shared-mounts.ts';
import { mountView } from './mount-view.ts';
import { readViewFacts, type ViewFacts, writeViewFacts } from './view-facts.ts';

export type CheckpointViewsOptions = {
  readonly runDir: RunDir;
  readonly images: Pick<SharedMounts, 'image'>;
  readonly clock: Clock;
  readonly isSupported: boolean;
};

type OpenDirectory = { readonly directory: AutofsDirectory; readonly names: Set<string> };

/** Programs can keep what was taken away; beyond this many saved disks of a sprite no other one is mounted for it. */
const mostAttached = 12;
/** How long a program waits for what it cannot get, so that one that asks again and again costs little. */
const refusalMs = 1000;
const detachTimeoutMs = 20_000;
const pollMs = 10;

/**
 * Saved disks in machines. Each machine shares a directory of the host, which nobody inside may change: what is mounted in
 * it on the host appears inside. A saved disk is a trigger there, and mounted when a program first looks into it.
 */
export class CheckpointViews implements InsideViews {
  readonly isSupported: boolean;
  readonly #runDir: RunDir;
  readonly #images: Pick<SharedMounts, 'image'>;
  readonly #clock: Clock;
  /** those this process has opened, by sprite */
  readonly #open = new Map<string, OpenDirectory>();
  readonly #turns = new Turns();

  constructor({ runDir, images, clock, isSupported }: CheckpointViewsOptions) {
    this.#runDir = runDir;
    this.#images = images;
    this.#clock = clock;
    this.isSupported = isSupported;
  }

  /** Makes the directory that a machine will share. */
  async prepare(machine: MachineDir, facts: Pick<ViewFacts, 'firstId'>): Promise<void> {
    const target = machine.checkpoints;
    await mkdir(target, { mode: 0o700 });
    // owned by the host's root, who is nobody inside, so that the machine's root cannot write to it
    await mount({ source: 'tmpfs', target, type: 'tmpfs', data: 'mode=755,size=64k,nr_inodes=64' });
    await mount({ source: 'none', target, flags: ['private'] });
    await mount({ source: 'none', target, flags: ['shared'] });
    await writeViewFacts(machine, { ...facts, shown: [] });
  }

  async show(spriteId: string, views: readonly InsideView[]): Promise<void> {
    const machine = this.#runDir.machine(spriteId);
    await this.#turns.take(spriteId, async () => {
      const facts = await readViewFacts(machine);
      if (facts === undefined) return;
      await writeViewFacts(machine, { ...facts, shown: views });
      const { directory, names } = this.#open.get(spriteId) ?? (await this.#openDirectory(machine));
      const wanted = new Set(views.map(({ id }) => id));
      for (const name of names.difference(wanted)) {
        names.delete(name);
        await directory.remove(name);
      }
      for (const name of wanted.difference(names)) {
        await directory.add(name);
        names.add(name);
      }
    });
  }

  /** Takes everything away from a machine whose programs have ended, and waits until the saved disks are free. */
  async release(machine: MachineDir): Promise<void> {
    await this.#turns.take(machine.spriteId, async () => {
      const facts = await readViewFacts(machine);
      const open = this.#open.get(machine.spriteId);
      this.#open.delete(machine.spriteId);
      await (open === undefined ? clearAutofs(machine.checkpoints) : open.directory.close());
      while (await unmountLazily(machine.checkpoints));
      await rmdir(machine.checkpoints).catch((error: unknown) => {
        if (!hasCode(error, 'ENOENT')) throw error;
      });
      if (facts?.shown[0] !== undefined) await this.#waitDetached(dirname(facts.shown[0].file));
    });
  }

  async #openDirectory(machine: MachineDir): Promise<OpenDirectory> {
    const { spriteId, checkpoints } = machine;
    const directory = await AutofsDirectory.open(checkpoints, (name) => this.#onTrigger(machine, name));
    const opened = { directory, names: new Set<string>() };
    this.#open.set(spriteId, opened);
    return opened;
  }

  async #onTrigger(machine: MachineDir, name: string): Promise<boolean> {
    const isKnown = this.#open.get(machine.spriteId)?.names.has(name) === true;
    const mounting = (): Promise<boolean> =>
      this.#turns.take(machine.spriteId, () => this.#mount(machine, name));
    const isMounted = isKnown && (await mounting().catch(() => false));
    if (!isMounted) await this.#clock.sleep(refusalMs);
    return isMounted;
  }

  async #mount(machine: MachineDir, name: string): Promise<boolean> {
    const facts = await readViewFacts(machine);
    const view = facts?.shown.find(({ id }) => id === name);
    if (facts === undefined || view === undefined) return false;
    const target = join(machine.checkpoints, name);
    // whoever asks all the same has taken it away for itself
    if ((await listMounts()).some((each) => each.target === target)) return false;
    if ((await this.#countAttached(dirname(view.file))) >= mostAttached) return false;
    const image = await this.#images.image(view.imageDigest, view.imageFile);
    await mountView({ machine, firstId: facts.firstId, image, file: view.file, target });
    return true;
  }

  async #countAttached(directory: string): Promise<number> {
    return (await listLoopFiles()).filter((file) => dirname(file) === directory).length;
  }

  /** The kernel takes the machine's mounts apart on its own time; should it never, only the pool stays in use. */
  async #waitDetached(directory: string): Promise<void> {
    const deadline = this.#clock.now() + detachTimeoutMs;
    while ((await this.#countAttached(directory)) > 0 && this.#clock.now() < deadline) {
      await this.#clock.sleep(pollMs);
    }
  }
}
