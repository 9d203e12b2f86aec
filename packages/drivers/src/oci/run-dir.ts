import { createHash } from 'node:crypto';
import { chmod, mkdir, realpath, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SpriteError } from '@sprites/contract';

/** The run directory of the server that owns `dataDir`: `/run/sprites/` and 8 hex digits of the real path's sha-256. */
export async function runDirOf(dataDir: string): Promise<string> {
  const hash = createHash('sha256').update(await realpath(dataDir));
  return join('/run/sprites', hash.digest('hex').slice(0, 8));
}

/** Where things of one server's running machines are; all of it is gone after a reboot. */
export class RunDir {
  readonly path: string;
  /** mounts of base images, by digest */
  readonly images: string;
  /** read-only mounts of agent runtimes, by hash */
  readonly agents: string;
  /** mounts of disks with their raw owners, closed to everyone but root */
  readonly disks: string;
  readonly machines: string;
  /** state of the OCI runtime */
  readonly runtime: string;
  /** parent of this server's cgroups; no other run directory has the same */
  readonly cgroup: string;

  constructor(path: string) {
    this.path = path;
    this.images = join(path, 'images');
    this.agents = join(path, 'agents');
    this.disks = join(path, 'disks');
    this.machines = join(path, 'machines');
    this.runtime = join(path, 'runtime');
    // the name of a server's own hash where there is one, so that people can tell whose it is
    const instance = path.match(/^\/run\/sprites\/([0-9a-f]{8})$/)?.[1];
    const hash = createHash('sha256').update(path).digest('hex');
    this.cgroup = `/sprites-${instance ?? hash.slice(0, 12)}`;
  }

  /** Makes the directories. The root of a machine must pass through `machines`, its disk's raw view must not. */
  async prepare(): Promise<void> {
    for (const dir of [this.path, this.machines, this.agents]) await makeDirectory(dir, 0o711);
    for (const dir of [this.images, this.disks, this.runtime]) await makeDirectory(dir, 0o700);
  }

  /** Removes the directories; whatever is still in one of them makes it fail. */
  async remove(): Promise<void> {
    for (const dir of [this.machines, this.agents, this.images, this.disks, this.runtime, this.path]) {
      await rmdir(dir);
    }
  }

  machine(spriteId: string): MachineDir {
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(spriteId)) {
      throw new SpriteError('internal_error', `${JSON.stringify(spriteId)} is no sprite id`);
    }
    return new MachineDir(this, spriteId);
  }
}

/** Where things of one machine are. */
export class MachineDir {
  readonly spriteId: string;
  readonly path: string;
  readonly state: string;
  readonly config: string;
  readonly facts: string;
  readonly socket: string;
  /** mount point of the directory in which an agent makes its socket itself, for runtimes that pass no descriptor on */
  readonly socketDir: string;
  readonly guestSocket: string;
  /** directory that the machine sees read-only as `/.sprite/policy` */
  readonly policyDir: string;
  readonly policy: string;
  readonly newPolicy: string;
  readonly log: string;
  readonly pidFile: string;
  /** mount point of the root file system */
  readonly root: string;
  /** mount point of the image with the machine's owners, only while the root is put together */
  readonly lower: string;
  /** mount point of the disk with the machine's owners, only while the root is put together */
  readonly upper: string;
  /** mount point of the disk with its raw owners */
  readonly disk: string;
  /** mount point of the directory shared with the machine in which its saved disks appear */
  readonly checkpoints: string;
  readonly viewFacts: string;
  /** mount points of a saved disk and its layers, only while its view is put together */
  readonly viewDisk: string;
  readonly viewLower: string;
  readonly viewUpper: string;
  readonly runtimeState: string;
  readonly cgroup: string;

  constructor(runDir: RunDir, spriteId: string) {
    this.spriteId = spriteId;
    this.path = join(runDir.machines, spriteId);
    this.state = join(this.path, 'state.json');
    this.config = join(this.path, 'config.json');
    this.facts = join(this.path, 'machine.json');
    this.socket = join(this.path, 'agent.sock');
    this.socketDir = join(this.path, 'socket');
    this.guestSocket = join(this.socketDir, 'agent.sock');
    this.policyDir = join(this.path, 'policy');
    this.policy = join(this.policyDir, 'network.json');
    this.newPolicy = join(this.policyDir, '.network.json.new');
    this.log = join(this.path, 'runtime.log');
    this.pidFile = join(this.path, 'init.pid');
    this.root = join(this.path, 'root');
    this.lower = join(this.path, 'lower');
    this.upper = join(this.path, 'upper');
    this.disk = join(runDir.disks, spriteId);
    this.checkpoints = join(this.path, 'checkpoints');
    this.viewFacts = join(this.path, 'views.json');
    this.viewDisk = join(this.path, 'view-disk');
    this.viewLower = join(this.path, 'view-lower');
    this.viewUpper = join(this.path, 'view-upper');
    this.runtimeState = join(runDir.runtime, spriteId);
    this.cgroup = join(runDir.cgroup, spriteId);
  }

  /** Mount points, in the order in which they must be unmounted. */
  get mountPoints(): readonly string[] {
    const views = [this.viewUpper, this.viewLower, this.viewDisk];
    return [this.root, this.lower, this.upper, this.disk, this.socketDir, ...views];
  }

  get files(): readonly string[] {
    const policy = [this.policy, this.newPolicy];
    const views = [this.viewFacts, `${this.viewFacts}.new`];
    return [this.config, this.facts, ...policy, this.socket, this.log, this.pidFile, ...views, this.state];
  }
}

/** The mode is set whatever the umask and also on a directory that was there. */
async function makeDirectory(path: string, mode: number): Promise<void> {
  await mkdir(path, { recursive: true });
  await chmod(path, mode);
}
