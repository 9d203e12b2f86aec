import { applyMask } from '@sprites/contract/mask';

/** Why a connection is closed: a code of RFC 6455 and a short text. */
export type CloseReason = { readonly code: number; readonly text: string };

/** What a client's WebSocket frames become. Binary messages come in pieces, so that none is held in memory. */
export type FrameHandler = {
  /** a piece of a binary message, never empty; `first` and `last` tell where it stands in its message */
  onBinary(piece: Buffer, first: boolean, last: boolean): void;
  onText(text: string): void;
  onPing(payload: Buffer): void;
  /** the client closes, or broke the protocol; nothing follows */
  onClose(reason: CloseReason): void;
};

const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
const largestControlBytes = 125;

type Frame = {
  readonly opcode: number;
  readonly last: boolean;
  readonly length: number;
  readonly mask: Buffer;
};

/** Reads the frames of a client, RFC 6455 section 5, from chunks of any size. Chunks are changed in place. */
export class FrameParser {
  readonly #handler: FrameHandler;
  readonly #largestTextBytes: number;
  #header: Buffer = Buffer.alloc(0);
  #frame: Frame | undefined;
  #done = 0;
  /** opcode of the message under way, and whether a piece of it was given out */
  #message: number | undefined;
  #begun = false;
  #parts: Buffer[] = [];
  #partBytes = 0;
  #controlParts: Buffer[] = [];
  #closed = false;

  constructor(handler: FrameHandler, largestTextBytes: number) {
    this.#handler = handler;
    this.#largestTextBytes = largestTextBytes;
  }

  /** Takes the next bytes from the client; after a close they are ignored. */
  push(chunk: Buffer): void {
    let rest = chunk;
    while (!this.#closed && (rest.length > 0 || this.#frame?.length === this.#done)) {
      rest = this.#frame === undefined ? this.#readHeader(rest) : this.#readPayload(this.#frame, rest);
    }
  }

  #readHeader(chunk: Buffer): Buffer {
    const bytes = this.#header.length === 0 ? chunk : Buffer.concat([this.#header, chunk]);
    const size = headerBytes(bytes);
    if (size === undefined || bytes.length < size) {
      this.#header = Buffer.from(bytes);
      return bytes.subarray(bytes.length);
    }
    this.#header = Buffer.alloc(0);
    this.#begin(bytes.subarray(0, size));
    return bytes.subarray(size);
  }

  #begin(header: Buffer): void {
    const opcode = (header[0] ?? 0) & 0x0f;
    const length = payloadBytes(header);
    const last = ((header[0] ?? 0) & 0x80) !== 0;
    const fault = this.#findFault(header, length);
    if (fault !== undefined) {
      this.#fail(fault.code, fault.text);
      return;
    }
    if (opcode === opcodes.text || opcode === opcodes.binary) {
      this.#message = opcode;
      this.#begun = false;
    }
    this.#frame = { opcode, last, length, mask: Buffer.from(header.subarray(header.length - 4)) };
    this.#done = 0;
  }

  #findFault([flags = 0, second = 0]: Buffer, length: number): CloseReason | undefined {
    const opcode = flags & 0x0f;
    const isControl = opcode >= opcodes.close;
    if ((flags & 0x70) !== 0 || (second & 0x80) === 0)
      return { code: 1002, text: 'unmasked or extended frame' };
    if (isControl && (length > largestControlBytes || (flags & 0x80) === 0)) {
      return { code: 1002, text: 'control frame too long' };
    }
    const continues = opcode === opcodes.continuation;
    if (!isControl && continues === (this.#message === undefined))
      return { code: 1002, text: 'message out of order' };
    if (opcode > opcodes.binary && !isControl) return { code: 1002, text: 'unknown frame' };
    return Number.isSafeInteger(length) ? undefined : { code: 1009, text: 'frame too long' };
  }

  #readPayload(frame: Frame, chunk: Buffer): Buffer {
    const piece = chunk.subarray(0, frame.length - this.#done);
    applyMask(piece, frame.mask, this.#done);
    this.#done += piece.length;
    const ended = this.#done === frame.length;
    if (ended) this.#frame = undefined;
    if (frame.opcode >= opcodes.close) this.#takeControl(frame.opcode, piece, ended);
    else if (this.#message === opcodes.text) this.#takeText(piece, ended && frame.last);
    else this.#takeBinary(piece, ended && frame.last);
    return chunk.subarray(piece.length);
  }

  #takeBinary(piece: Buffer, last: boolean): void {
    const first = !this.#begun;
    if (piece.length > 0) this.#begun = true;
    if (last) this.#message = undefined;
    // A last piece without bytes tells the handler nothing it needs but for a message it was given part of.
    if (piece.length > 0 || (last && this.#begun)) this.#handler.onBinary(piece, first, last);
  }

  #takeText(piece: Buffer, last: boolean): void {
    if (!this.#collect(piece)) this.#fail(1009, 'text message too long');
    else if (last) {
      this.#message = undefined;
      this.#handler.onText(this.#takeParts().toString('utf8'));
    }
  }

  #takeControl(opcode: number, piece: Buffer, ended: boolean): void {
    this.#controlParts.push(Buffer.from(piece));
    if (!ended) return;
    const payload = Buffer.concat(this.#controlParts);
    this.#controlParts = [];
    if (opcode === opcodes.ping) this.#handler.onPing(payload);
    else if (opcode === opcodes.close) this.#fail(payload.length >= 2 ? payload.readUInt16BE(0) : 1000, '');
    else if (opcode !== opcodes.pong) this.#fail(1002, 'unknown frame');
  }

  #collect(piece: Buffer): boolean {
    this.#partBytes += piece.length;
    if (this.#partBytes > this.#largestTextBytes) return false;
    this.#parts.push(Buffer.from(piece));
    return true;
  }

  #takeParts(): Buffer {
    const whole = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#partBytes = 0;
    return whole;
  }

  #fail(code: number, text: string): void {
    this.#closed = true;
    this.#parts = [];
    this.#handler.onClose({ code, text });
  }
}

/** How long the header is that starts with these bytes; undefined when they are too few to tell. */
function headerBytes(bytes: Buffer): number | undefined {
  const second = bytes[1];
  if (second === undefined) return undefined;
  const short = second & 0x7f;
  const maskBytes = (second & 0x80) === 0 ? 0 : 4;
  return 2 + maskBytes + (short === 126 ? 2 : short === 127 ? 8 : 0);
}

function payloadBytes(header: Buffer): number {
  const short = (header[1] ?? 0) & 0x7f;
  if (short === 126) return header.readUInt16BE(2);
  return short === 127 ? Number(header.readBigUInt64BE(2)) : short;
}
