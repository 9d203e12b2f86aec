import { findLeaks } from './leaks.ts';
import { openPlace, ownerOf, type Place } from './place.ts';
import { runServerCommand, ServerProcess } from './server-process.ts';
import { sweep } from './sweep.ts';

/** How a test server differs from the usual one. */
export type TestServerOptions = {
  /** where its data directory is made */
  readonly parentDir?: string;
  /** directory with base images that are already built; shared between servers and only read */
  readonly imagesDir?: string;
  readonly image?: string;
  /** further settings, by the names of their environment variables */
  readonly settings?: Readonly<Record<string, string>>;
  readonly readyTimeoutMs?: number;
};

/** A real server on a data directory, port, address range and uid range of its own. Close it with `close` or `await using`. */
export class TestServer implements AsyncDisposable {
  readonly token: string;
  readonly #place: Place;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #readyTimeoutMs: number;
  #process: ServerProcess;
  #otherOrgToken: Promise<string> | undefined;

  /** Use `startTestServer`. */
  constructor(place: Place, options: TestServerOptions) {
    this.#place = place;
    this.token = `personal/org_test/tok_test/${place.instance}${place.instance}`;
    this.#readyTimeoutMs = options.readyTimeoutMs ?? 60_000;
    this.#environment = {
      PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: place.dataDir,
      SPRITES_DATA_DIR: place.dataDir,
      SPRITES_LISTEN: `127.0.0.1:${place.port}`,
      SPRITES_NETWORK: place.network,
      SPRITES_UID_BASE: String(place.uidBase),
      SPRITES_BOOTSTRAP_TOKEN: this.token,
      SPRITES_IMAGE: options.image ?? 'minimal',
      SPRITES_LOG_LEVEL: 'info',
      // a test knows what it starts
      SPRITES_READY_MACHINES: '0',
      ...(options.imagesDir === undefined ? {} : { SPRITES_IMAGES_DIR: options.imagesDir }),
      ...options.settings,
    };
    this.#process = new ServerProcess(this.#environment);
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${this.#place.port}`;
  }

  get dataDir(): string {
    return this.#place.dataDir;
  }

  get runDir(): string {
    return this.#place.runDir;
  }

  get instance(): string {
    return this.#place.instance;
  }

  get pid(): number {
    return this.#process.pid;
  }

  get log(): string {
    return this.#process.log;
  }

  /** A token of a second organisation, made on first use. */
  otherOrgToken(): Promise<string> {
    this.#otherOrgToken ??= runServerCommand(['token', 'create', '--org', 'other'], this.#environment).then(
      (text) => text.trim(),
    );
    return this.#otherOrgToken;
  }

  /** Waits until the server answers. */
  async ready(): Promise<void> {
    await this.#process.waitUntilReady(`${this.baseUrl}/readyz`, this.#readyTimeoutMs);
  }

  /** Stops the server program as an operator does; the machines go on. Resolves to its exit code. */
  async stop(): Promise<number | null> {
    return await this.#process.end('SIGTERM');
  }

  /** Ends the server program without any warning; the machines go on. */
  async kill9(): Promise<void> {
    await this.#process.end('SIGKILL');
  }

  /** Starts the server program again on the same data; stop it first. */
  async restart(): Promise<void> {
    if (!this.#process.hasExited) throw new Error('stop the server before starting it again');
    this.#process = new ServerProcess(this.#environment);
    await this.ready();
  }

  /** Runs `sprites-server down`: stops the machines and releases everything on the host; the data stays. */
  async down(): Promise<void> {
    await runServerCommand(['down'], this.#environment);
  }

  /** What the server left in the kernel; nothing after `down`. */
  async leaks(): Promise<readonly string[]> {
    return await findLeaks(ownerOf(this.dataDir));
  }

  /** Stops everything and removes the data. Throws when that failed or something was left behind, after removing it by force. */
  async close(): Promise<void> {
    const failure = await this.#shutDown();
    const left = await this.leaks();
    const stuck = left.length === 0 ? [] : await sweep(ownerOf(this.dataDir));
    // With something still mounted there, removing the data directory could remove more than that.
    if (stuck.length === 0) await this.#place[Symbol.asyncDispose]();
    if (failure !== undefined) throw failure;
    if (left.length > 0) throw new Error(`the server left on this host:\n${left.join('\n')}`);
  }

  async #shutDown(): Promise<unknown> {
    try {
      await this.stop();
      await this.down();
      return undefined;
    } catch (error) {
      return error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Starts a server for tests and waits until it answers. */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const place = await openPlace(options.parentDir ?? process.env.SPRITES_E2E_DIR ?? '/var/tmp/sprites-test');
  const imagesDir = options.imagesDir ?? process.env.SPRITES_E2E_IMAGES;
  const server = new TestServer(place, { ...options, ...(imagesDir === undefined ? {} : { imagesDir }) });
  try {
    await server.ready();
  } catch (error) {
    // The reason it did not start matters more than what closing it says.
    await server.close().catch((closing: unknown) => Object.assign(Object(error), { closing }));
    throw error;
  }
  return server;
}
