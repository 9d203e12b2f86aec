/** Another way to run a command in something isolated or remote. */
export type Peer = {
  readonly name: string;
  /** Runs `true` there and waits for its exit code. */
  readonly runTrue: () => Promise<void>;
  /** Removes everything that opening made. */
  readonly close: () => Promise<void>;
};
