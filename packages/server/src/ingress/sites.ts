import type { Changes, OrgRecord, SpriteRecord, Store } from '@sprites/core';

/** A sprite as its URL shows it. */
export type Site = { readonly sprite: SpriteRecord; readonly org: OrgRecord };

/** Most sprites whose records are kept at hand. */
const mostKept = 4096;

/** Finds the sprite that a host name belongs to: `<name>-<org's url id>.<domain>`. */
export class Sites {
  readonly #store: Store;
  readonly #suffix: string;
  readonly #domain: string;
  readonly #kept = new Map<string, Promise<Site | undefined>>();
  readonly #unsubscribe: () => void;

  /** `domain` may name a port, which host names of requests need not have. */
  constructor({ store, changes, domain }: { store: Store; changes: Changes; domain: string }) {
    this.#store = store;
    this.#domain = domain.replace(/:\d+$/, '');
    this.#suffix = `.${this.#domain}`;
    this.#unsubscribe = changes.subscribe(({ sprite }) => {
      for (const [label] of this.#kept) if (label.startsWith(`${sprite.name}-`)) this.#kept.delete(label);
    });
  }

  /** Domain of all sprites, without a port. */
  get domain(): string {
    return this.#domain;
  }

  /** The label of a sprite's host, given a request's authority; undefined for hosts of the API. */
  labelOf(host: string): string | undefined {
    const name = host.replace(/:\d+$/, '').replace(/\.$/, '');
    if (!name.endsWith(this.#suffix)) return undefined;
    return name.slice(0, -this.#suffix.length);
  }

  /** The sprite behind a label, or undefined. */
  find(label: string): Promise<Site | undefined> {
    const kept = this.#kept.get(label);
    if (kept !== undefined) return kept;
    const found = this.#load(label);
    if (this.#kept.size >= mostKept) this.#kept.clear();
    this.#kept.set(label, found);
    // what is not there, or could not be read, may be there the next time
    found.then(
      (site) => site === undefined && this.#kept.delete(label),
      () => this.#kept.delete(label),
    );
    return found;
  }

  close(): void {
    this.#unsubscribe();
  }

  async #load(label: string): Promise<Site | undefined> {
    const match = /^([a-z0-9][a-z0-9-]*)-([a-z0-9]+)$/.exec(label);
    if (match === null || label.length > 63) return undefined;
    const [, name = '', urlId = ''] = match;
    const org = await this.#store.findOrgByUrlId(urlId);
    if (org === undefined) return undefined;
    const sprite = await this.#store.findSprite(org.id, name);
    return sprite === undefined ? undefined : { sprite, org };
  }
}
