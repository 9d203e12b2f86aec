import { APIError, type Sprite, SpritesClient } from '@sprites/sdk';
import type { TestServer } from '@sprites/testkit';
import { expect } from 'vitest';
import type { Random } from './random.ts';
import { sh } from './tree.ts';

/** Content that something may have, by its hash: one once it is known. */
type Possible = ReadonlySet<string>;

/** What must be, may be, or must not be after the server has been killed. */
type Fate = 'acknowledged' | 'asked for' | 'gone' | 'to go';

type Saved = { readonly content: Possible; fate: Fate };

/** A sprite that everything happens to, and all that is known of it. */
class Subject {
  readonly sprite: Sprite;
  readonly saved = new Map<string, Saved>();
  content: Possible = new Set();
  isBusy = false;

  constructor(sprite: Sprite) {
    this.sprite = sprite;
  }
}

const subjects = ['alpha', 'beta'] as const;
const mostSaved = 4;
const hash = `cd ~/tree && { find . -printf '%p|%y|%m|%T@|%l|%n\\n' | sort; find . -type f -print0 | sort -z | xargs -0 sha256sum; } | sha256sum`;

/** Does things to sprites at random, several at once, and knows what must be true however they end. */
export class Turmoil {
  readonly #client: SpritesClient;
  readonly #random: Random;
  readonly #archive: Buffer;
  readonly #subjects: readonly Subject[];
  readonly #others = new Map<string, { readonly content: Possible | undefined; fate: Fate }>();
  #count = 0;

  private constructor(
    client: SpritesClient,
    random: Random,
    made: { archive: Buffer; subjects: readonly Subject[] },
  ) {
    this.#client = client;
    this.#random = random;
    this.#archive = made.archive;
    this.#subjects = made.subjects;
  }

  static async open(server: TestServer, random: Random): Promise<Turmoil> {
    const client = new SpritesClient(server.token, { baseURL: server.baseUrl });
    const made = await Promise.all(
      subjects.map(async (name) => new Subject(await client.createSprite(name))),
    );
    for (const subject of made) {
      const script =
        'mkdir -p ~/tree/a && cd ~/tree && head -c 400000 /dev/urandom > noise && ln noise a/hard && ln -s x link';
      await sh(subject.sprite, script);
      // writes go on all the time, where nobody compares
      subject.sprite
        .spawn('sh', ['-c', 'while :; do head -c 100000 /dev/urandom > ~/load; done'], {
          stdin: false,
          detachable: true,
        })
        .on('error', () => undefined);
      await change(subject, 0);
      const { id } = await subject.sprite.checkpoint();
      subject.saved.set(id, { content: subject.content, fate: 'acknowledged' });
    }
    const [first] = made;
    if (first === undefined) throw new Error('there is no subject');
    const archive = Buffer.from(await new Response(await first.sprite.export()).arrayBuffer());
    return new Turmoil(client, random, { archive, subjects: made });
  }

  /** Changes a sprite's files, then begins several operations; they settle when they are answered or the server is gone. */
  async begin(): Promise<Promise<unknown>> {
    const changed = this.#random.pick(this.#subjects);
    if (this.#random.next() < 0.5) await change(changed, ++this.#count);
    const acts = [
      () => this.#checkpoint(),
      () => this.#checkpoint(),
      () => this.#restore(),
      () => this.#restore(),
      () => this.#fork(),
      () => this.#create(),
      () => this.#import(),
      () => this.#deleteOther(),
      () => this.#deleteSaved(),
    ];
    const begun = Array.from({ length: 4 }, () => this.#random.pick(acts)());
    return Promise.allSettled(begun);
  }

  /** Expects of a server that was started again what is known, and finds out what was not. */
  async check(): Promise<void> {
    const names = new Set((await this.#client.listAllSprites()).map(({ name }) => name));
    for (const [name, other] of this.#others) {
      if (other.fate === 'acknowledged') expect(names, `${name} was acknowledged`).toContain(name);
      if (other.fate === 'gone') expect(names, `${name} was deleted`).not.toContain(name);
      if (!names.has(name)) this.#others.delete(name);
    }
    for (const subject of this.#subjects) await this.#checkSubject(subject);
    for (const [index, [name, { content }]] of [...this.#others].entries()) {
      if (index === 0 && content !== undefined)
        expect(content, name).toContain(await contentOf(this.#client.sprite(name)));
      if (this.#others.size - index > 2)
        await this.#client.deleteSprite(name).then(() => this.#others.delete(name));
    }
  }

  /** Expects that every checkpoint restores to what was saved. */
  async checkAll(): Promise<void> {
    for (const subject of this.#subjects) {
      const { sprite, saved } = subject;
      for (const [id, { content }] of saved) {
        await sprite.restore(id);
        const found = await contentOf(sprite);
        expect(content, `${sprite.name} ${id}`).toContain(found);
        // the last of them is what the sprite has now
        subject.content = new Set([found]);
      }
    }
  }

  async #checkSubject(subject: Subject): Promise<void> {
    const { sprite, saved } = subject;
    const listed = await sprite.listCheckpoints({ includeAuto: true });
    expect(listed.filter(({ health }) => health !== '')).toEqual([]);
    const ids = new Set(listed.map(({ id }) => id));
    for (const [id, { fate }] of saved) {
      if (fate === 'acknowledged') expect(ids, `${sprite.name} ${id} was acknowledged`).toContain(id);
      if (fate === 'gone') expect(ids, `${sprite.name} ${id} was deleted`).not.toContain(id);
      if (!ids.has(id)) saved.delete(id);
      else saved.set(id, { content: saved.get(id)?.content ?? new Set(), fate: 'acknowledged' });
    }
    const found = await contentOf(sprite);
    expect(subject.content, `the live files of ${sprite.name}`).toContain(found);
    subject.content = new Set([found]);
    const base = listed.find(({ id }) => id === 'Current')?.sourceId;
    // what was asked for and made all the same, and automatic ones, make room
    for (const { id } of listed) {
      const isKnown = saved.has(id) && saved.size <= mostSaved;
      if (id === 'Current' || id === base || isKnown) continue;
      await sprite.deleteCheckpoint(id);
      saved.delete(id);
    }
  }

  async #checkpoint(): Promise<void> {
    const { sprite, saved, content } = this.#random.pick(this.#subjects);
    const { id } = await sprite.checkpoint();
    saved.set(id, { content, fate: 'acknowledged' });
  }

  async #restore(): Promise<void> {
    const subject = this.#random.pick(this.#subjects);
    const [id, { content }] = this.#random.pick([...subject.saved]);
    // whatever is saved from here on may be either; sets that were taken before grow, too
    for (const each of content) (subject.content as Set<string>).add(each);
    await subject.sprite.restore(id);
  }

  async #fork(): Promise<void> {
    const { sprite, content, saved } = this.#random.pick(this.#subjects);
    const checkpoint = this.#random.next() < 0.5 ? undefined : this.#random.pick([...saved.keys()]);
    const expected = checkpoint === undefined ? content : saved.get(checkpoint)?.content;
    const other = this.#addOther(expected);
    await sprite.fork(other.name, checkpoint === undefined ? {} : { checkpoint });
    other.entry.fate = 'acknowledged';
  }

  async #create(): Promise<void> {
    const other = this.#addOther(undefined);
    await this.#client.createSprite(other.name);
    other.entry.fate = 'acknowledged';
  }

  async #import(): Promise<void> {
    const other = this.#addOther(undefined);
    const archive = this.#archive;
    const bytes = async function* (): AsyncGenerator<Uint8Array> {
      yield archive;
    };
    await this.#client.importSprite(bytes(), { name: other.name });
    other.entry.fate = 'acknowledged';
  }

  async #deleteOther(): Promise<void> {
    const known = [...this.#others].filter(([, { fate }]) => fate === 'acknowledged');
    if (known.length === 0) return;
    const [name, entry] = this.#random.pick(known);
    entry.fate = 'to go';
    await this.#client.deleteSprite(name);
    entry.fate = 'gone';
  }

  async #deleteSaved(): Promise<void> {
    const { sprite, saved } = this.#random.pick(this.#subjects);
    const known = [...saved].filter(([, { fate }]) => fate === 'acknowledged');
    if (known.length < 2) return;
    const [id, entry] = this.#random.pick(known);
    entry.fate = 'to go';
    try {
      await sprite.deleteCheckpoint(id);
      entry.fate = 'gone';
    } catch (error) {
      // in use, or not while a restore is under way: then it stays
      if (error instanceof APIError && error.statusCode === 409) entry.fate = 'acknowledged';
    }
  }

  #addOther(content: Possible | undefined): { readonly name: string; readonly entry: { fate: Fate } } {
    const name = `other-${++this.#count}`;
    const entry = { content, fate: 'asked for' as Fate };
    this.#others.set(name, entry);
    return { name, entry };
  }
}

async function change(subject: Subject, number: number): Promise<void> {
  const found = await sh(subject.sprite, `echo ${number} > ~/tree/a/number && sync && ${hash}`);
  subject.content = new Set([found]);
}

async function contentOf(sprite: Sprite): Promise<string> {
  return sh(sprite, hash);
}
