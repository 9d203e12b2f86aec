import { isUtf8 } from 'node:buffer';
import type { ExportBytes } from '@sprites/contract/export';

/** Names as an archive has them: a name in a sprite is any bytes. */
export function encodeBytes(bytes: Buffer): ExportBytes {
  return isUtf8(bytes) ? bytes.toString('utf8') : { b64: bytes.toString('base64') };
}

export function decodeBytes(bytes: ExportBytes): Buffer {
  return typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : Buffer.from(bytes.b64, 'base64');
}

/** Names for people: what is not printable text becomes `?`. */
export function printableBytes(bytes: Buffer): string {
  return bytes.toString('utf8').replace(/[\p{Cc}\ufffd]/gu, '?');
}
