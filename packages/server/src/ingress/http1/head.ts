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
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Everything a value must not hold: control characters but the tab. */
const badInValue = /[\0-\x08\x0a-\x1f\x7f]/;
const requestLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([\x21-\x7e]+) HTTP\/1\.([01])$/;
const statusLine = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: ([^\0-\x08\x0a-\x1f\x7f]*))?$/;
const authority = /^(\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z._~-]{1,255})(:\d{1,5})?$/;

/**
 * Reads a request's head, given as latin-1 text without the empty line at its end. Strict: whatever RFC 9112 lets a
 * receiver repair is refused, as a second receiver behind us could repair it differently. Throws `HttpSyntaxError`.
 */
export function parseRequestHead(text: string): RequestHead {
  const [first = '', ...lines] = text.split('\r\n');
  const match = requestLine.exec(first);
  if (match === null) throw new HttpSyntaxError('this is not an HTTP/1.1 request');
  const [, method = '', rawTarget = '', minor] = match;
  const fields = parseFields(lines);
  const { target, host } = locate(method, rawTarget, fields);
  return { method, target, host, minor: minor === '1' ? 1 : 0, fields };
}

/** Reads a response's head, likewise. */
export function parseResponseHead(text: string): ResponseHead {
  const [first = '', ...lines] = text.split('\r\n');
  const match = statusLine.exec(first);
  if (match === null) throw new HttpSyntaxError('the answer is not HTTP/1.1');
  const [, minor, status, reason = ''] = match;
  return { status: Number(status), reason, minor: minor === '1' ? 1 : 0, fields: parseFields(lines) };
}

/** Reads header or trailer fields, one a line. */
export function parseFields(lines: readonly string[]): readonly Field[] {
  if (lines.length > mostFields)
    throw new HttpSyntaxError(`there are more than ${mostFields} header fields`, 431);
  return lines.map((line) => {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon);
    // a folded line begins with white space, which no name does
    if (colon < 1 || !token.test(name)) throw new HttpSyntaxError('a header field has no proper name');
    const value = trim(line.slice(colon + 1));
    if (badInValue.test(value)) throw new HttpSyntaxError(`header field ${name} holds control characters`);
    return { name, key: name.toLowerCase(), value };
  });
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

/** The values of all fields of that name, lower-case, as one list. */
export function listOf(fields: readonly Field[], key: string): readonly string[] {
  const list: string[] = [];
  for (const field of fields) {
    if (field.key !== key) continue;
    for (const part of field.value.split(',')) {
      const item = trim(part).toLowerCase();
      if (item !== '') list.push(item);
    }
  }
  return list;
}

export function fieldValue(fields: readonly Field[], key: string): string | undefined {
  return fields.find((field) => field.key === key)?.value;
}

function locate(
  method: string,
  rawTarget: string,
  fields: readonly Field[],
): { readonly target: string; readonly host: string } {
  const hosts = fields.filter((field) => field.key === 'host');
  if (hosts.length !== 1) throw new HttpSyntaxError('a request has exactly one host field');
  const host = hosts[0]?.value ?? '';
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
  const codings = fields.filter((field) => field.key === 'transfer-encoding');
  const lengths = fields.filter((field) => field.key === 'content-length');
  if (codings.length > 0) {
    if (lengths.length > 0) throw new HttpSyntaxError('both transfer-encoding and content-length are given');
    if (codings.length > 1 || codings[0]?.value.toLowerCase() !== 'chunked')
      throw new HttpSyntaxError('no transfer-encoding but chunked is understood', 501);
    if (minor === 0) throw new HttpSyntaxError('HTTP/1.0 has no transfer-encoding');
    return { type: 'chunked' };
  }
  if (lengths.length === 0) return undefined;
  const [length] = lengths;
  if (lengths.length > 1 || length === undefined || !/^\d{1,15}$/.test(length.value))
    throw new HttpSyntaxError('the content-length is not one number');
  return { type: 'length', bytes: Number(length.value) };
}

/** Takes the blanks and tabs around a value away, nothing else. */
function trim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text, start)) start++;
  while (end > start && isBlank(text, end - 1)) end--;
  return text.slice(start, end);
}

function isBlank(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code === 0x20 || code === 0x09;
}
