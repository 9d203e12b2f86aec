import { SpriteError } from '@sprites/contract/errors';
import type { Hold } from '@sprites/contract/link';
import type { TaskEntry } from '@sprites/contract/tasks';

const mostTasks = 1000;

type Task = {
  readonly name: string;
  readonly startedAt: Date;
  readonly expiresAt: Date;
  /** on the clock that nobody sets */
  readonly expiresMs: number;
  readonly timer: NodeJS.Timeout;
};

/** Holds that programs inside put on their sprite, each until it expires. They end with the machine. */
export class TaskTable {
  readonly #tasks = new Map<string, Task>();
  readonly #onChange: () => void;

  /** `onChange` is called when `holds` would answer something new. */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Makes a task. Throws `task_already_exists`. */
  create(name: string, expireMs: number): TaskEntry {
    if (this.#find(name) !== undefined) {
      throw new SpriteError('task_already_exists', `task ${name} already exists; refresh it with PUT`);
    }
    return this.put(name, expireMs);
  }

  /** Makes a task, or gives the one of that name a new expiry. */
  put(name: string, expireMs: number): TaskEntry {
    const known = this.#find(name);
    if (known === undefined && this.#tasks.size >= mostTasks) {
      throw new SpriteError('invalid_request', `a sprite has at most ${mostTasks} tasks; delete one first`);
    }
    clearTimeout(known?.timer);
    const task: Task = {
      name,
      startedAt: known?.startedAt ?? new Date(),
      expiresAt: new Date(Date.now() + expireMs),
      expiresMs: performance.now() + expireMs,
      timer: setTimeout(() => this.#end(task), expireMs),
    };
    this.#tasks.set(name, task);
    this.#onChange();
    return toEntry(task);
  }

  /** The task of that name. Throws `task_not_found`. */
  get(name: string): TaskEntry {
    return toEntry(this.#require(name));
  }

  /** Live tasks, oldest first. */
  list(): readonly TaskEntry[] {
    return this.#live().map(toEntry);
  }

  /** Ends a task. Throws `task_not_found`. */
  remove(name: string): void {
    this.#end(this.#require(name));
  }

  holds(): readonly Hold[] {
    return this.#live().map(({ name, startedAt, expiresAt }) => ({
      kind: 'task',
      id: name,
      label: name,
      since: startedAt.toISOString(),
      until: expiresAt.toISOString(),
    }));
  }

  #live(): readonly Task[] {
    return [...this.#tasks.values()].filter(isLive);
  }

  #find(name: string): Task | undefined {
    const task = this.#tasks.get(name);
    return task !== undefined && isLive(task) ? task : undefined;
  }

  #require(name: string): Task {
    const task = this.#find(name);
    if (task !== undefined) return task;
    throw new SpriteError('task_not_found', `task not found: ${name.slice(0, 80)}`);
  }

  #end(task: Task): void {
    clearTimeout(task.timer);
    if (this.#tasks.get(task.name) === task) this.#tasks.delete(task.name);
    this.#onChange();
  }
}

/** A timer may be late, above all after a sleep. */
function isLive({ expiresMs }: Task): boolean {
  return performance.now() < expiresMs;
}

function toEntry({ name, startedAt, expiresAt }: Task): TaskEntry {
  return { name, started_at: startedAt.toISOString(), expires_at: expiresAt.toISOString() };
}
