import { SpriteError } from '../errors.ts';

const blockBytes = 512;
const namePattern = /^[A-Za-z0-9._/-]{1,99}$/;

/** A member of an archive that is small enough to be held in memory. */
export type TarMember = { readonly name: string; readonly content: Uint8Array };

/** What is asked of a member before its content is read: the most bytes it may have, or undefined to refuse it. */
export type MemberLimit = (name: string) => number | undefined;

/** A member as bytes: a ustar header, the content, and zeros up to the next block. */
export function encodeMember(name: string, content: Uint8Array): readonly Uint8Array[] {
  if (!namePattern.test(name)) throw new Error(`${JSON.stringify(name)} cannot name a member`);
  const rest = content.length % blockBytes;
  const padding = rest === 0 ? [] : [new Uint8Array(blockBytes - rest)];
  return [encodeHeader(name, content.length), content, ...padding];
}

/** What ends an archive. */
export const tarEnd: Uint8Array = new Uint8Array(2 * blockBytes);

/**
 * Reads a tar archive member by member and takes nothing but plain files with names of plain characters, each as
 * `encodeMember` writes it: no links, no devices, no long names, no extensions. Throws `invalid_request`.
 */
export class TarReader {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #onBytes: (bytes: Uint8Array) => void;
  #rest: Uint8Array = new Uint8Array(0);

  /** `onBytes` hears of every byte of a member before the member is returned. */
  constructor(source: AsyncIterable<Uint8Array>, onBytes: (bytes: Uint8Array) => void = () => {}) {
    this.#source = source[Symbol.asyncIterator]();
    this.#onBytes = onBytes;
  }

  /** The next member; undefined at the end of the archive, which must be the end of the stream. */
  async next(limit: MemberLimit): Promise<TarMember | undefined> {
    const header = await this.#take(blockBytes);
    if (header.every((byte) => byte === 0)) {
      await this.#expectEnd();
      return undefined;
    }
    const { name, size } = decodeHeader(header);
    const most = limit(name);
    if (most === undefined) throw refuse(`member ${name} does not belong here`);
    if (size > most) throw refuse(`member ${name} is larger than ${most} bytes`);
    const padded = await this.#take(Math.ceil(size / blockBytes) * blockBytes);
    const content = padded.subarray(0, size);
    if (padded.subarray(size).some((byte) => byte !== 0))
      throw refuse(`member ${name} is not padded with zeros`);
    this.#onBytes(header);
    this.#onBytes(padded);
    return { name, content };
  }

  async #take(count: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let missing = count;
    while (missing > 0) {
      if (this.#rest.length === 0) {
        const { value, done } = await this.#source.next();
        if (done === true) throw refuse('it ends in the middle');
        this.#rest = value;
      }
      const part = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(part.length);
      parts.push(part);
      missing -= part.length;
    }
    const [only] = parts;
    return only !== undefined && parts.length === 1 ? only : concat(parts, count);
  }

  async #expectEnd(): Promise<void> {
    const second = await this.#take(blockBytes);
    if (second.some((byte) => byte !== 0)) throw refuse('something follows its end');
    if (this.#rest.length > 0) throw refuse('something follows its end');
    const { done, value } = await this.#source.next();
    if (done !== true && value.length > 0) throw refuse('something follows its end');
  }
}

/** What an archive is refused with. */
export function refuse(reason: string, cause?: unknown): SpriteError {
  return new SpriteError('invalid_request', `this is not a whole export of a sprite: ${reason}`, { cause });
}

function encodeHeader(name: string, size: number): Uint8Array {
  const header = new Uint8Array(blockBytes);
  const put = (text: string, at: number): void => header.set(new TextEncoder().encode(text), at);
  put(name, 0);
  put('0000644\0', 100);
  put('0000000\0', 108);
  put('0000000\0', 116);
  put(`${size.toString(8).padStart(11, '0')}\0`, 124);
  put('00000000000\0', 136);
  put('        ', 148);
  put('0', 156);
  put('ustar\0', 257);
  put('00', 263);
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

/** A header is taken when it is exactly the one that would have been written for this name and size. */
function decodeHeader(header: Uint8Array): { readonly name: string; readonly size: number } {
  const text = new TextDecoder('latin1').decode(header.subarray(0, 136));
  const name = text.slice(0, text.indexOf('\0') === -1 ? 100 : text.indexOf('\0'));
  const sizeText = text.slice(124, 135);
  if (!namePattern.test(name) || !/^[0-7]{11}$/.test(sizeText)) {
    throw refuse(
      `it has a member with a name or size that no export has (${JSON.stringify(name.slice(0, 60))})`,
    );
  }
  const size = Number.parseInt(sizeText, 8);
  const expected = encodeHeader(name, size);
  if (expected.some((byte, index) => byte !== header[index])) {
    throw refuse(`member ${name} is of a kind that no export has, or damaged`);
  }
  return { name, size };
}

function concat(parts: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
