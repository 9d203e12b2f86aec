import type { SpritesClient } from './client.ts';
import type { SpriteConfig, SpriteInfo, URLSettings } from './options.ts';

/** What is known of a sprite without asking: its name, and what the server said of it when this handle was made. */
export class SpriteFacts {
  readonly name: string;
  readonly client: SpritesClient;
  /** everything the server said, or undefined for a bare handle */
  readonly info: SpriteInfo | undefined;

  constructor(name: string, client: SpritesClient, info?: SpriteInfo) {
    this.name = name;
    this.client = client;
    this.info = info;
  }

  get id(): string | undefined {
    return this.info?.id;
  }

  get organizationName(): string | undefined {
    return this.info?.organization;
  }

  get status(): string | undefined {
    return this.info?.status;
  }

  get config(): SpriteConfig | undefined {
    return this.info?.config;
  }

  get environment(): Readonly<Record<string, string>> | undefined {
    return this.info?.environment;
  }

  get createdAt(): Date | undefined {
    return this.info?.createdAt;
  }

  get updatedAt(): Date | undefined {
    return this.info?.updatedAt;
  }

  get url(): string | undefined {
    return this.info?.url;
  }

  get urlSettings(): URLSettings | undefined {
    return this.info?.urlSettings;
  }

  get version(): string | undefined {
    return this.info?.version;
  }

  get environmentVersion(): string | undefined {
    return this.info?.environmentVersion;
  }

  get labels(): readonly string[] {
    return this.info?.labels ?? [];
  }

  get lastRunningAt(): Date | undefined {
    return this.info?.lastRunningAt;
  }

  get lastWarmingAt(): Date | undefined {
    return this.info?.lastWarmingAt;
  }
}
