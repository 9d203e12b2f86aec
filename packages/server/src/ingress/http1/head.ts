/** A header field as it stood on the wire, its value without the white space around it. */
export type Field = { readonly name: string; readonly key: string; readonly value: string };

export type RequestHead = {
  readonly method: string;
  /** origin form, or `*` */
  readonly target: string;
  /** lower-case authority the request is for, with its port if it names one */
  readonly host: string;
  /** minor version of HTTP/1 */
  readonly minor: 0 | 1;
  readonly fields: readonly Field[];
};

export type ResponseHead = {
  readonly status: number;
  readonly reason: string;
  readonly minor: 0 | 1;
  readonly fields: readonly Field[];
};

/** What a message's body is framed by. */
export type Framing =
  | { readonly type: 'none' }
  | { readonly type: 'length'; readonly bytes: number }
  | { readonly type: 'chunked' }
  /** only of responses */
  | { readonly type: 'until-close' };

/** A message that is not HTTP/1.1, or one that two readers could understand differently. */
export class HttpSyntaxError extends Error {
  /** status to answer a request with */
  readonly status: number;

  constructor(message: string, status = 400) {
    super(message);
    this.name = 'HttpSyntaxError';
    this.status = status;
  }
}

/** Most header fields of one message. */
const mostFields = 256;
/** The characters of a name, by their codes. */
const inName = charactersOf(/[!#$%&'*+.^_`|~0-9A-Za-z-]/);
/** Those of a value: no control characters but the tab. */
const inValue = charactersOf(/[^\0-\x08\x0a-\x1f\x7f]/);
const requestLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([\x21-\x7e]+) HTTP\/1\.([01])$/;
const statusLine = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: ([^\0-\x08\x0a-\x1f\x7f]*))?$/;
const authority = /^(\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z._~-]{1,255})(:\d{1,5})?$/;

/**
 * Reads a request's head, given as latin-1 text without the empty line at its end. Strict: whatever RFC 9112 lets a
 * receiver repair is refused, as a second receiver behind us could repair it differently. Throws `HttpSyntaxError`.
 */
export function parseRequestHead(text: string): RequestHead {
  const end = endOfLine(text, 0);
  const match = requestLine.exec(text.slice(0, end));
  if (match === null) throw new HttpSyntaxError('this is not an HTTP/1.1 request');
  const [, method = '', rawTarget = '', minor] = match;
  const fields = parseFields(text, end + 2);
  const { target, host } = locate(method, rawTarget, fields);
  return { method, target, host, minor: minor === '1' ? 1 : 0, fields };
}

/** Reads a response's head, likewise. */
export function parseResponseHead(text: string): ResponseHead {
  const end = endOfLine(text, 0);
  const match = statusLine.exec(text.slice(0, end));
  if (match === null) throw new HttpSyntaxError('the answer is not HTTP/1.1');
  const [, minor, status, reason = ''] = match;
  const fields = parseFields(text, end + 2);
  return { status: Number(status), reason, minor: minor === '1' ? 1 : 0, fields };
}

/** Reads the header or trailer field that a line of latin-1 text is, without its end. Throws `HttpSyntaxError`. */
export function parseField(line: string): Field {
  const colon = line.indexOf(':');
  // a folded line begins with white space, which no name does
  if (colon < 1 || !consistsOf(inName, line, 0, colon))
    throw new HttpSyntaxError('a header field has no proper name');
  const name = line.slice(0, colon);
  if (!consistsOf(inValue, line, colon + 1, line.length))
    throw new HttpSyntaxError(`header field ${name} holds control characters`);
  return { name, key: name.toLowerCase(), value: trim(line, colon + 1) };
}

/** What frames the body of a request. Throws when its fields contradict each other. RFC 9112 section 6. */
export function frameRequest(head: RequestHead): Framing {
  return declaredFraming(head.fields, head.minor) ?? { type: 'none' };
}

/** What frames the body of the answer to a request with this method. */
export function frameResponse(head: ResponseHead, method: string): Framing {
  const declared = declaredFraming(head.fields, head.minor);
  const { status } = head;
  if (method === 'HEAD' || status === 204 || status === 304 || status < 200) return { type: 'none' };
  return declared ?? { type: 'until-close' };
}

const nothing: readonly string[] = [];

/** The values of all fields of that name, lower-case, as one list. */
export function listOf(fields: readonly Field[], key: string): readonly string[] {
  if (!fields.some((field) => field.key === key)) return nothing;
  const list: string[] = [];
  for (const field of fields) {
    if (field.key !== key) continue;
    for (const part of field.value.split(',')) {
      const item = trim(part, 0).toLowerCase();
      if (item !== '') list.push(item);
    }
  }
  return list;
}

export function fieldValue(fields: readonly Field[], key: string): string | undefined {
  return fields.find((field) => field.key === key)?.value;
}

/** The value of the one field of that name; undefined when there is none or more than one. */
function onlyValue(fields: readonly Field[], key: string): string | undefined {
  let value: string | undefined;
  for (const field of fields) {
    if (field.key !== key) continue;
    if (value !== undefined) return undefined;
    value = field.value;
  }
  return value;
}

function locate(
  method: string,
  rawTarget: string,
  fields: readonly Field[],
): { readonly target: string; readonly host: string } {
  const host = onlyValue(fields, 'host');
  if (host === undefined) throw new HttpSyntaxError('a request has exactly one host field');
  if (method === 'CONNECT') throw new HttpSyntaxError('CONNECT is not served', 405);
  if (!authority.test(host)) throw new HttpSyntaxError('the host field names no host');
  if (rawTarget.startsWith('/')) return { target: rawTarget, host: host.toLowerCase() };
  if (rawTarget === '*' && method === 'OPTIONS') return { target: rawTarget, host: host.toLowerCase() };
  const absolute = /^https?:\/\/([^/?#]+)(\/[^#]*)?$/i.exec(rawTarget);
  if (absolute?.[1]?.toLowerCase() !== host.toLowerCase())
    throw new HttpSyntaxError('the request target is no path of this host');
  return { target: absolute[2] ?? '/', host: host.toLowerCase() };
}

function declaredFraming(fields: readonly Field[], minor: 0 | 1): Framing | undefined {
  const hasLength = fieldValue(fields, 'content-length') !== undefined;
  if (fieldValue(fields, 'transfer-encoding') !== undefined) {
    if (hasLength) throw new HttpSyntaxError('both transfer-encoding and content-length are given');
    if (onlyValue(fields, 'transfer-encoding')?.toLowerCase() !== 'chunked')
      throw new HttpSyntaxError('no transfer-encoding but chunked is understood', 501);
    if (minor === 0) throw new HttpSyntaxError('HTTP/1.0 has no transfer-encoding');
    return { type: 'chunked' };
  }
  if (!hasLength) return undefined;
  const length = onlyValue(fields, 'content-length');
  if (length === undefined || !/^\d{1,15}$/.test(length))
    throw new HttpSyntaxError('the content-length is not one number');
  return { type: 'length', bytes: Number(length) };
}

/** Reads the fields from `start` on, one a line. */
function parseFields(text: string, start: number): readonly Field[] {
  const fields: Field[] = [];
  for (let at = start; at <= text.length; ) {
    const end = endOfLine(text, at);
    if (fields.length === mostFields)
      throw new HttpSyntaxError(`there are more than ${mostFields} header fields`, 431);
    fields.push(parseField(text.slice(at, end)));
    at = end + 2;
  }
  return fields;
}

function endOfLine(text: string, start: number): number {
  const end = text.indexOf('\r\n', start);
  return end < 0 ? text.length : end;
}

function charactersOf(pattern: RegExp): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, code) => (pattern.test(String.fromCharCode(code)) ? 1 : 0));
}

function consistsOf(characters: Uint8Array, text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (characters[text.charCodeAt(at)] !== 1) return false;
  return true;
}

/** Takes the blanks and tabs around what begins at `from` away, nothing else. */
function trim(text: string, from: number): string {
  let start = from;
  let end = text.length;
  while (start < end && isBlank(text, start)) start++;
  while (end > start && isBlank(text, end - 1)) end--;
  return text.slice(start, end);
}

function isBlank(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code === 0x20 || code === 0x09;
}
