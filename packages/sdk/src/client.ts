import { endpoints } from '@sprites/contract';
import { request, requestJson } from './http/request.ts';
import { SpriteListStream } from './http/streams.ts';
import { toStream } from './http/upload.ts';
import type {
  CallOptions,
  ClientOptions,
  CreateSpriteOptions,
  ImportSpriteOptions,
  ListOptions,
  RestartSpriteResult,
  SleepOptions,
  SpriteCheck,
  SpriteConfig,
  SpriteList,
  UpdateSpriteOptions,
  URLSettings,
} from './options.ts';
import { Sprite } from './sprite.ts';
import { fromCreateOptions, fromUpdateOptions, toCheck, toSpriteInfo, toSpriteList } from './wire.ts';

export const defaultBaseURL = 'http://127.0.0.1:7777';

/** Creation may wait for a free place. */
const createTimeoutMs = 120_000;
/** Upgrade and restart wait for the machine to stop; check for a cold one to start. */
const machineTimeoutMs = 60_000;

const createOptionKeys: ReadonlySet<string> = new Set<keyof CreateSpriteOptions>([
  'config',
  'environment',
  'urlSettings',
  'labels',
  'waitForCapacity',
  'runtime',
  'autoCheckpoints',
  'image',
  'idle',
  'from',
  'signal',
]);

/** The way in: names a server and a token, and hands out sprites. Holds no connection by itself. */
export class SpritesClient {
  readonly baseURL: string;
  readonly token: string;
  /** time limit of an ordinary request in `ms` */
  readonly timeout: number;
  readonly controlMode: boolean;

  constructor(token: string, options: ClientOptions = {}) {
    this.token = token;
    this.baseURL = (options.baseURL ?? defaultBaseURL).replace(/\/+$/, '');
    this.timeout = options.timeout ?? 30_000;
    this.controlMode = options.controlMode ?? false;
  }

  /** A handle on a sprite by name; asks the server nothing. */
  sprite(name: string): Sprite {
    return new Sprite(name, this);
  }

  /** Creates a sprite. The second argument is its sizes or all options. */
  async createSprite(
    name: string,
    configOrOptions: SpriteConfig | CreateSpriteOptions = {},
    more: Omit<CreateSpriteOptions, 'config'> = {},
  ): Promise<Sprite> {
    const options = toCreateOptions(configOrOptions, more);
    const wire = await requestJson(this, endpoints.createSprite, {
      json: fromCreateOptions(name, options),
      signal: options.signal,
      timeoutMs: createTimeoutMs,
    });
    return new Sprite(wire.name, this, toSpriteInfo(wire));
  }

  async getSprite(name: string, options: CallOptions = {}): Promise<Sprite> {
    const wire = await requestJson(this, endpoints.getSprite, { params: { name }, signal: options.signal });
    return new Sprite(wire.name, this, toSpriteInfo(wire));
  }

  /** One page of sprites, by name. */
  async listSprites(options: ListOptions = {}): Promise<SpriteList> {
    const query = listQuery(options);
    return toSpriteList(await requestJson(this, endpoints.listSprites, { query, signal: options.signal }));
  }

  /** Every sprite whose name begins with `prefix`, page by page. */
  async listAllSprites(prefix?: string, options: CallOptions = {}): Promise<Sprite[]> {
    const all: Sprite[] = [];
    let page: ListOptions | undefined = { ...options, ...(prefix === undefined ? {} : { prefix }) };
    while (page !== undefined) {
      const list: SpriteList = await this.listSprites(page);
      all.push(...list.sprites.map((info) => new Sprite(info.name, this, info)));
      const token = list.hasMore ? list.nextContinuationToken : undefined;
      page = token === undefined ? undefined : { ...page, continuationToken: token };
    }
    return all;
  }

  /** Follows the sprites: one event for each now, then one for each change. Close the stream to end it. */
  async watchSprites(
    options: Pick<ListOptions, 'prefix' | 'maxResults' | 'signal'> = {},
  ): Promise<SpriteListStream> {
    const response = await request(this, endpoints.listSprites, {
      query: listQuery(options),
      accept: 'application/x-ndjson',
      signal: options.signal,
      timeoutMs: 0,
    });
    return new SpriteListStream(response);
  }

  /**
   * Makes a sprite from an export, read to its end as it is sent. When it fails or is cut, nothing is left on the server.
   * Without a name the sprite gets that of the exported one.
   */
  async importSprite(
    archive: AsyncIterable<Uint8Array>,
    { name, image, signal }: ImportSpriteOptions = {},
  ): Promise<Sprite> {
    const query = new URLSearchParams();
    if (name !== undefined) query.set('name', name);
    if (image !== undefined) query.set('image', image);
    const wire = await requestJson(this, endpoints.importSprite, {
      query,
      upload: toStream(archive),
      signal,
      timeoutMs: 0,
    });
    return new Sprite(wire.name, this, toSpriteInfo(wire));
  }

  /** Deletes a sprite with everything in it. */
  async deleteSprite(name: string, options: CallOptions = {}): Promise<void> {
    await this.#finish(endpoints.deleteSprite, name, { signal: options.signal });
  }

  /** Changes what is given and leaves the rest. */
  async updateSprite(name: string, options: UpdateSpriteOptions): Promise<Sprite> {
    const wire = await requestJson(this, endpoints.updateSprite, {
      params: { name },
      json: fromUpdateOptions(options),
      signal: options.signal,
    });
    return new Sprite(wire.name, this, toSpriteInfo(wire));
  }

  async updateURLSettings(name: string, settings: URLSettings): Promise<void> {
    await this.updateSprite(name, { urlSettings: settings });
  }

  /** Moves a sprite to the newest build of its image and the newest agent. */
  async upgradeSprite(name: string, options: CallOptions = {}): Promise<void> {
    await this.#finish(endpoints.upgradeSprite, name, {
      signal: options.signal,
      timeoutMs: machineTimeoutMs,
    });
  }

  /** Stops a sprite's machine and starts a new one. */
  async restartSprite(name: string, options: CallOptions = {}): Promise<RestartSpriteResult> {
    const wire = await requestJson(this, endpoints.restartSprite, {
      params: { name },
      signal: options.signal,
      timeoutMs: machineTimeoutMs,
    });
    return { spriteName: wire.sprite_name, machineId: wire.machine_id, message: wire.message };
  }

  /** Puts a sprite to sleep now, also a busy one; its connections are closed. */
  async sleepSprite(name: string, { to = 'warm', signal }: SleepOptions = {}): Promise<Sprite> {
    const timeoutMs = machineTimeoutMs;
    const options = { params: { name }, json: { to }, signal, timeoutMs };
    const wire = await requestJson(this, endpoints.sleepSprite, options);
    return new Sprite(wire.name, this, toSpriteInfo(wire));
  }

  /** Wakes a sprite; resolves when it runs. */
  async wakeSprite(name: string, { signal }: CallOptions = {}): Promise<Sprite> {
    const options = { params: { name }, signal, timeoutMs: machineTimeoutMs };
    const wire = await requestJson(this, endpoints.wakeSprite, options);
    return new Sprite(wire.name, this, toSpriteInfo(wire));
  }

  /** Asks the program inside a sprite for its health; wakes the sprite. */
  async checkSprite(name: string, options: CallOptions = {}): Promise<SpriteCheck> {
    return toCheck(
      await requestJson(this, endpoints.checkSprite, {
        params: { name },
        signal: options.signal,
        timeoutMs: machineTimeoutMs,
      }),
    );
  }

  /** Exchanges a credential the operator configured for a token of an organisation. */
  static async createToken(
    macaroon: string,
    orgSlug: string,
    inviteCode?: string,
    options: ClientOptions & CallOptions = {},
  ): Promise<string> {
    const { token } = await requestJson(new SpritesClient('', options), endpoints.createToken, {
      params: { org: orgSlug },
      json: { invite_code: inviteCode },
      authorization: `FlyV1 ${macaroon.replace(/^(FlyV1\s+)+/, '')}`,
      signal: options.signal,
    });
    return token;
  }

  async #finish(
    endpoint: typeof endpoints.deleteSprite | typeof endpoints.upgradeSprite,
    name: string,
    options: { readonly signal: AbortSignal | undefined; readonly timeoutMs?: number },
  ): Promise<void> {
    const response = await request(this, endpoint, { params: { name }, ...options });
    await response.body?.cancel();
  }
}

function toCreateOptions(
  given: SpriteConfig | CreateSpriteOptions,
  more: Omit<CreateSpriteOptions, 'config'>,
): CreateSpriteOptions {
  if (isCreateOptions(given)) return { ...given, ...more };
  return Object.keys(given).length === 0 ? more : { config: given, ...more };
}

function isCreateOptions(given: SpriteConfig | CreateSpriteOptions): given is CreateSpriteOptions {
  return Object.keys(given).some((key) => createOptionKeys.has(key));
}

function listQuery(options: ListOptions): URLSearchParams {
  const query = new URLSearchParams();
  if (options.prefix !== undefined) query.set('prefix', options.prefix);
  if (options.maxResults !== undefined) query.set('max_results', String(options.maxResults));
  if (options.continuationToken !== undefined) query.set('continuation_token', options.continuationToken);
  if (options.bulkLoad === true) query.set('bulk_load', 'true');
  return query;
}
