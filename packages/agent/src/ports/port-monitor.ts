import type { PortEvent } from '@sprites/contract/ports';
import { findLineage, findOwners } from './find-owner.ts';
import { type ListeningSocket, SocketDiag } from './socket-diag.ts';

const everyMs = 500;

/** A port that is open, with whom it belongs to. */
type OpenPort = {
  readonly event: PortEvent;
  /** processes that it can be said to belong to; empty when none was found */
  readonly lineage: ReadonlySet<number>;
};

/** Who hears of ports. `isMine` limits it to those of some processes. */
type Listener = {
  readonly isMine: (lineage: ReadonlySet<number>) => boolean;
  readonly onEvent: (event: PortEvent) => void;
};

/** Looks twice a second which ports are open, for as long as somebody listens; otherwise it does nothing at all. */
export class PortMonitor {
  readonly #listeners = new Set<Listener>();
  #open = new Map<string, OpenPort>();
  #diag: SocketDiag | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** Tells what is open now and then of each change. Call the answer's `stop` to end it. */
  watch(onEvent: (event: PortEvent) => void): {
    readonly open: readonly PortEvent[];
    readonly stop: () => void;
  } {
    this.#look();
    const stop = this.#listen({ isMine: () => true, onEvent });
    return { open: [...this.#open.values()].map(({ event }) => event), stop };
  }

  /** Tells of the ports of a process and of what it has started, also of those that are open already. */
  watchProcess(pid: number, onEvent: (event: PortEvent) => void): () => void {
    const listener: Listener = { isMine: (lineage) => lineage.has(pid), onEvent };
    for (const { event, lineage } of this.#open.values()) if (lineage.has(pid)) onEvent(event);
    return this.#listen(listener);
  }

  #listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    this.#timer ??= setInterval(() => this.#look(), everyMs);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#rest();
    };
  }

  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#diag?.close();
    this.#diag = undefined;
    this.#open = new Map();
  }

  #look(): void {
    this.#diag ??= new SocketDiag();
    const present = new Map(this.#diag.list().map((socket) => [`${socket.address} ${socket.port}`, socket]));
    for (const [key, port] of this.#open) {
      if (present.has(key)) continue;
      this.#open.delete(key);
      this.#tell({ ...port.event, type: 'port_closed' }, port.lineage);
    }
    const fresh = [...present].filter(([key]) => !this.#open.has(key));
    if (fresh.length > 0) this.#add(fresh);
  }

  #add(fresh: readonly (readonly [string, ListeningSocket])[]): void {
    const owners = findOwners(new Set(fresh.map(([, { inode }]) => inode)));
    for (const [key, { address, port, inode }] of fresh) {
      const pid = owners.get(inode);
      const event: PortEvent = { type: 'port_opened', port, address, ...(pid === undefined ? {} : { pid }) };
      const lineage = pid === undefined ? new Set<number>() : findLineage(pid);
      this.#open.set(key, { event, lineage });
      this.#tell(event, lineage);
    }
  }

  #tell(event: PortEvent, lineage: ReadonlySet<number>): void {
    for (const { isMine, onEvent } of this.#listeners) if (isMine(lineage)) onEvent(event);
  }
}
