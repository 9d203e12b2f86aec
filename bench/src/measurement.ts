import type { SpritesClient as OfficialClient } from '@fly/sprites';
import type { SpritesClient } from '@sprites/sdk';
import type { TestServer } from '@sprites/testkit';
import type { Row } from './samples.ts';

/** What a measurement works with. */
export type Bench = {
  readonly server: TestServer;
  /** starts another server, with further settings; whoever does closes it */
  readonly startServer: (settings: Readonly<Record<string, string>>) => Promise<TestServer>;
  readonly client: SpritesClient;
  readonly official: OfficialClient;
  /** samples of a latency */
  readonly n: number;
  /** sizes of disks to measure, in GB of data */
  readonly sizesGb: readonly number[];
  /** a new name for a sprite */
  readonly nextName: () => string;
};

/** One question to the server, or to a peer beside it. */
export type Measurement = {
  /** what `--only` takes */
  readonly name: string;
  readonly title: string;
  /** takes so long that it is measured only when it is asked for */
  readonly onlyByName?: boolean;
  /** Resolves to the rows, or to why it cannot be measured here. */
  readonly run: (bench: Bench) => Promise<readonly Row[] | string>;
};
