import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createBodyReader } from './body.ts';
import { frameRequest, frameResponse, HttpSyntaxError, parseRequestHead, parseResponseHead } from './head.ts';
import { HeadBuffer } from './head-buffer.ts';

/** Runs a reader over bytes in pieces of the given sizes; answers where the body ended. */
function readInPieces(text: string, sizes: readonly number[]): number | undefined {
  const reader = createBodyReader({ type: 'chunked' });
  const bytes = Buffer.from(text, 'latin1');
  let at = 0;
  for (let i = 0; at < bytes.length && !reader.isDone; i++) {
    const piece = bytes.subarray(at, at + (sizes[i % sizes.length] ?? 1));
    at += reader.read(piece, 0);
  }
  return reader.isDone ? at : undefined;
}

describe('parseRequestHead', () => {
  it('reads method, target, host and fields', () => {
    const head = parseRequestHead('GET /a?b HTTP/1.1\r\nHost: Example:80\r\nX-A:  1 \t\r\nx-a: 2');
    expect(head).toMatchObject({ method: 'GET', target: '/a?b', host: 'example:80', minor: 1 });
    expect(head.fields.filter(({ key }) => key === 'x-a').map(({ value }) => value)).toEqual(['1', '2']);
  });

  it('takes a target in absolute form for the path it holds, on the same host only', () => {
    expect(parseRequestHead('GET http://a.test/x?y HTTP/1.1\r\nHost: a.test').target).toBe('/x?y');
    expect(() => parseRequestHead('GET http://b.test/x HTTP/1.1\r\nHost: a.test')).toThrow(HttpSyntaxError);
  });

  it.each([
    'GET / HTTP/2.0\r\nHost: a',
    'GET  / HTTP/1.1\r\nHost: a',
    'GET /a b HTTP/1.1\r\nHost: a',
    'GET / HTTP/1.1',
    'GET / HTTP/1.1\r\nHost: a\r\nHost: a',
    'GET / HTTP/1.1\r\nHost: a b',
    'GET / HTTP/1.1\r\nHost: a/b',
    'GET / HTTP/1.1\r\nHost : a',
    'GET / HTTP/1.1\r\nHost: a\r\n X: b',
    'GET / HTTP/1.1\r\nHost: a\r\nX: b\rc',
    'GET / HTTP/1.1\r\nHost: a\r\nX: b\nc',
    'GET / HTTP/1.1\nHost: a',
    'GET /\x7f HTTP/1.1\r\nHost: a',
    'CONNECT a:1 HTTP/1.1\r\nHost: a',
  ])('refuses %j', (text) => {
    expect(() => parseRequestHead(text)).toThrow(HttpSyntaxError);
  });

  it('never throws anything else', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        for (const parse of [parseRequestHead, parseResponseHead]) {
          try {
            parse(text);
          } catch (error) {
            expect(error).toBeInstanceOf(HttpSyntaxError);
          }
        }
      }),
    );
  });
});

describe('the framing of a message', () => {
  const request = (fields: string, minor = 1): string => `POST / HTTP/1.${minor}\r\nHost: a\r\n${fields}`;
  const frame = (fields: string, minor?: number) => frameRequest(parseRequestHead(request(fields, minor)));

  it('is what its fields say, if they agree', () => {
    expect(frame('X: y')).toEqual({ type: 'none' });
    expect(frame('Content-Length: 12')).toEqual({ type: 'length', bytes: 12 });
    expect(frame('Transfer-Encoding: Chunked')).toEqual({ type: 'chunked' });
  });

  it.each([
    'Content-Length: 1\r\nContent-Length: 1',
    'Content-Length: 1, 1',
    'Content-Length: -1',
    'Content-Length: 0x1',
    'Content-Length:',
    'Content-Length: 1\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding: gzip, chunked',
    'Transfer-Encoding: chunked;q=1',
  ])('is refused for %j', (fields) => {
    expect(() => frame(fields)).toThrow(HttpSyntaxError);
  });

  it('has no coding in HTTP/1.0', () => {
    expect(() => frame('Transfer-Encoding: chunked', 0)).toThrow(HttpSyntaxError);
  });

  it('of an answer depends on the question and the status', () => {
    const answer = parseResponseHead('HTTP/1.1 200 OK\r\nContent-Length: 5');
    expect(frameResponse(answer, 'GET')).toEqual({ type: 'length', bytes: 5 });
    expect(frameResponse(answer, 'HEAD')).toEqual({ type: 'none' });
    expect(frameResponse(parseResponseHead('HTTP/1.1 304 x\r\nContent-Length: 5'), 'GET')).toEqual({
      type: 'none',
    });
    expect(frameResponse(parseResponseHead('HTTP/1.0 200 OK'), 'GET')).toEqual({ type: 'until-close' });
  });
});

describe('a chunked body', () => {
  const body = '3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n';

  it('ends at the same byte however it comes', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (sizes) => {
        expect(readInPieces(`${body}GET /next`, sizes)).toBe(body.length);
      }),
    );
  });

  it.each([
    '3\nabc\r\n0\r\n\r\n',
    '3\r\nabcd\r\n0\r\n\r\n',
    ' 3\r\nabc\r\n0\r\n\r\n',
    '0x3\r\nabc\r\n0\r\n\r\n',
    '\r\n',
    'fffffffffffff\r\n',
    '0\r\nContent-Length: 1\r\n\r\n',
    '0\r\nno field\r\n\r\n',
    `3;${'x'.repeat(9000)}\r\n`,
  ])('is refused when it is %j', (text) => {
    expect(() => readInPieces(text, [1])).toThrow(HttpSyntaxError);
  });
});

describe('HeadBuffer', () => {
  it('finds the end of a head however it comes, and gives back what is behind it', () => {
    const text = 'GET / HTTP/1.1\r\nHost: a\r\n\r\nrest';
    for (let at = 1; at < text.length; at++) {
      const buffer = new HeadBuffer(100);
      const whole = buffer.add(Buffer.from(text.slice(0, at))) ?? buffer.add(Buffer.from(text.slice(at)));
      expect(whole?.text).toBe('GET / HTTP/1.1\r\nHost: a');
      expect('rest'.startsWith(String(whole?.rest))).toBe(true);
      expect(buffer.isEmpty).toBe(true);
    }
  });

  it('refuses what is too long, whole or not', () => {
    expect(() => new HeadBuffer(10).add(Buffer.alloc(11, 'x'))).toThrow(HttpSyntaxError);
    expect(() => new HeadBuffer(10).add(Buffer.from('GET / HTTP/1.1\r\nA: b\r\n\r\n'))).toThrow(
      HttpSyntaxError,
    );
  });
});
