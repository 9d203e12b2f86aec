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
  /** those of `#kept` that were read already */
  readonly #loaded = new Map<string, Site>();
  #lastHost: string | undefined;
  #lastLabel: string | undefined;
  readonly #unsubscribe: () => void;

  /** `domain` may name a port, which host names of requests need not have. */
  constructor({ store, changes, domain }: { store: Store; changes: Changes; domain: string }) {
    this.#store = store;
    this.#domain = domain.replace(/:\d+$/, '');
    this.#suffix = `.${this.#domain}`;
    this.#unsubscribe = changes.subscribe(({ sprite }) => {
      for (const [label] of this.#kept) if (label.startsWith(`${sprite.name}-`)) this.#forget(label);
    });
  }

  /** Domain of all sprites, without a port. */
  get domain(): string {
    return this.#domain;
  }

  /** The label of a sprite's host, given a request's authority; undefined for hosts of the API. */
  labelOf(host: string): string | undefined {
    // hosts of requests follow each other
    if (host === this.#lastHost) return this.#lastLabel;
    const name = host.replace(/:\d+$/, '').replace(/\.$/, '');
    this.#lastHost = host;
    this.#lastLabel = name.endsWith(this.#suffix) ? name.slice(0, -this.#suffix.length) : undefined;
    return this.#lastLabel;
  }

  /** The sprite behind a label, if it is at hand. */
  known(label: string): Site | undefined {
    return this.#loaded.get(label);
  }

  /** The sprite behind a label, or undefined. */
  find(label: string): Promise<Site | undefined> {
    const kept = this.#kept.get(label);
    if (kept !== undefined) return kept;
    const found = this.#load(label);
    if (this.#kept.size >= mostKept) {
      this.#kept.clear();
      this.#loaded.clear();
    }
    this.#kept.set(label, found);
    // what is not there, or could not be read, may be there the next time
    found.then(
      (site) => this.#note(label, found, site),
      () => this.#note(label, found, undefined),
    );
    return found;
  }

  /** What was forgotten while it was read stays so. */
  #note(label: string, found: Promise<Site | undefined>, site: Site | undefined): void {
    if (this.#kept.get(label) !== found) return;
    if (site === undefined) this.#forget(label);
    else this.#loaded.set(label, site);
  }

  #forget(label: string): void {
    this.#kept.delete(label);
    this.#loaded.delete(label);
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
