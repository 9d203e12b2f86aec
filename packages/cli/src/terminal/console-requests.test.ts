import { describe, expect, it } from 'vitest';
import { ConsoleRequests } from './console-requests.ts';
import { BrowserOpener, toSafeAddress } from './open-address.ts';

/** What is asked for by these pieces of output. */
function asked(pieces: readonly string[], replayBytes = 0): readonly string[] {
  const heard: string[] = [];
  const requests = new ConsoleRequests(
    { open: (address) => heard.push(address), detach: () => heard.push('detach') },
    replayBytes,
  );
  for (const piece of pieces) requests.see(Buffer.from(piece));
  return heard;
}

const sequence = '\x1b]9999;browser-open;https://example.com/a;b?c=d\x1b\\';

describe('requests to the console', () => {
  it('are heard wherever the output is cut', () => {
    const text = `before ${sequence} between \x1b]0;title\x07\x1b]9999;console-detach\x07 after`;
    for (let at = 0; at <= text.length; at++) {
      expect(asked([text.slice(0, at), text.slice(at)])).toEqual(['https://example.com/a;b?c=d', 'detach']);
    }
    expect(asked([...text])).toEqual(['https://example.com/a;b?c=d', 'detach']);
  });

  it('may name ports, which are left out', () => {
    expect(
      asked(['\x1b]9999;browser-open;http://a.b/;3000,8080\x07', '\x1b]9999;browser-open;http://a.b/;\x07']),
    ).toEqual(['http://a.b/', 'http://a.b/']);
  });

  it('that are replayed are not done again', () => {
    expect(asked([sequence, 'x', sequence], sequence.length + 1)).toEqual(['https://example.com/a;b?c=d']);
    expect(asked([`${sequence}${sequence}`], sequence.length)).toHaveLength(1);
    expect(asked([sequence], 10)).toEqual([]);
  });

  it.each([
    ['too long', `\x1b]9999;browser-open;http://a.b/${'x'.repeat(10_000)}`, '\x1b\\'],
    ['broken by a control character', '\x1b]9999;browser-open;http://a.b/\n', '\x07'],
    ['another one', '\x1b]9999;format-disk', '\x07'],
    ['empty', '\x1b]9999;browser-open;', '\x07'],
  ])('that are none are not heard: %s', (_, first, second) => {
    expect(asked([first, second])).toEqual([]);
  });
});

describe('an address from a sprite', () => {
  it.each([
    ['https://example.com/login?x=y#z', 'https://example.com/login?x=y#z'],
    ['HTTP://EXAMPLE.com', 'http://example.com/'],
    ['http://demo-abc.sprites.localhost:7777/', 'http://demo-abc.sprites.localhost:7777/'],
    ['http://1.2.3.4/', 'http://1.2.3.4/'],
    ['http://a b/', undefined],
    ['file:///etc/passwd', undefined],
    ['javascript:alert(1)', undefined],
    ['--help', undefined],
    ['https://user:secret@example.com/', undefined],
    ['http://localhost:8080/', undefined],
    ['http://LOCALHOST./', undefined],
    ['http://127.1/', undefined],
    ['http://0x7f000001/', undefined],
    ['http://[::1]/', undefined],
    ['http://[::ffff:127.0.0.1]/', undefined],
    ['http://10.0.0.1/', undefined],
    ['http://172.20.0.1/', undefined],
    ['http://192.168.1.1/', undefined],
    ['http://169.254.169.254/latest', undefined],
    ['http://[fd00::1]/', undefined],
    [`https://example.com/${'x'.repeat(3000)}`, undefined],
  ])('%s', (text, wanted) => {
    expect(toSafeAddress(text)).toBe(wanted);
  });

  it('is opened once in a while only', () => {
    const opened: string[] = [];
    const opener = new BrowserOpener((address) => opened.push(address));
    const answers = [0, 1, 2999, 3000, 3001].map((nowMs) => opener.open(`https://a.b/${nowMs}`, nowMs));
    expect(answers).toEqual([true, false, false, true, false]);
    expect(opened).toEqual(['https://a.b/0', 'https://a.b/3000']);
  });
});
