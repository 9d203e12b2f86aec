import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SpriteError } from '../errors.ts';
import { clampTerminal, formatExecCommand, parseExecCommand, parseExecRequest } from './command.ts';
import { parseOpStart, toExecFields } from './control.ts';
import { parseOutputFrame } from './frames.ts';
import { parseKillRequest } from './kill.ts';
import { parseClientMessage, parseServerMessage } from './messages.ts';
import { parseSignal } from './signals.ts';

const query = (text: string): URLSearchParams => new URLSearchParams(text);

describe('parseExecRequest', () => {
  it('keeps arguments and variables in order', () => {
    const command = parseExecCommand(query('cmd=sh&cmd=-c&cmd=a+b&path=sh&env=A=1&env=B=x%3Dy&dir=/tmp'));
    expect(command).toMatchObject({
      argv: ['sh', '-c', 'a b'],
      file: 'sh',
      env: ['A=1', 'B=x=y'],
      dir: '/tmp',
    });
  });

  it('runs bash when no command is named', () => {
    expect(parseExecCommand(query(''))).toMatchObject({
      argv: ['bash'],
      file: 'bash',
      tty: false,
      stdin: false,
    });
  });

  it('gives a terminal 24 rows, 80 columns, input and no end', () => {
    expect(parseExecCommand(query('cmd=sh&tty=true'))).toMatchObject({
      rows: 24,
      cols: 80,
      stdin: true,
      maxRunAfterDisconnectMs: Number.POSITIVE_INFINITY,
    });
  });

  it('lets a command without a terminal run 10 s alone unless told otherwise', () => {
    const ms = (text: string): number => parseExecCommand(query(text)).maxRunAfterDisconnectMs;
    expect(ms('cmd=x')).toBe(10_000);
    expect(ms('cmd=x&detachable=true')).toBe(Number.POSITIVE_INFINITY);
    expect(ms('cmd=x&detachable=true&max_run_after_disconnect=1m0s')).toBe(60_000);
    expect(ms('cmd=x&max_run_after_disconnect=0s')).toBe(Number.POSITIVE_INFINITY);
  });

  it.each(['id=7', 'session_id=7&cmd=x&path=x&stdin=false', 'id=7&cmd=&path='])('attaches by %s', (text) => {
    expect(parseExecRequest(query(text))).toEqual({ type: 'attach', attach: { id: '7', cursor: undefined } });
  });

  it('prefers the id of the path and reads the cursor', () => {
    const request = parseExecRequest(query('id=7&cursor=42'), '9');
    expect(request).toEqual({ type: 'attach', attach: { id: '9', cursor: 42 } });
  });

  it.each([
    'env=NOVALUE',
    'env==x',
    'env=A%3D%00',
    'cmd=a%00b',
    'tty=maybe',
    'tty=true&rows=x',
    'max_run_after_disconnect=soon',
    'id=1&cursor=-1',
    'id=1&cursor=1e3',
  ])('refuses %s', (text) => {
    expect(() => parseExecRequest(query(text))).toThrow(SpriteError);
  });

  it('reads back what formatExecCommand wrote', () => {
    const word = fc.string({ minLength: 1 }).filter((text) => !text.includes('\0'));
    fc.assert(
      fc.property(
        fc.array(word, { minLength: 1 }),
        fc.boolean(),
        fc.option(word, { nil: undefined }),
        (argv, tty, dir) => {
          const written = formatExecCommand({ argv, tty, dir, stdin: true, maxRunAfterDisconnectMs: 1500 });
          expect(parseExecCommand(written)).toMatchObject({
            argv,
            tty,
            dir,
            stdin: true,
            maxRunAfterDisconnectMs: 1500,
          });
        },
      ),
    );
  });
});

describe('clampTerminal', () => {
  it('clamps what is too large and ignores what is no size', () => {
    expect(clampTerminal(100_000, 80)).toEqual({ rows: 65_535, cols: 80 });
    for (const bad of [0, -1, 1.5, '24', null, Number.NaN]) expect(clampTerminal(bad, 80)).toBeUndefined();
  });
});

describe('parseSignal', () => {
  it.each([
    ['SIGTERM', 15],
    ['term', 15],
    ['9', 9],
    ['usr1', 10],
    ['SigHup', 1],
  ])('reads %s', (text, number) => {
    expect(parseSignal(text).number).toBe(number);
  });

  it.each(['', 'SIG', 'SIGFOO', '0', '99', '-9', 'constructor'])('refuses %j', (text) => {
    expect(() => parseSignal(text)).toThrow(expect.objectContaining({ code: 'invalid_signal' }));
  });
});

describe('parseKillRequest', () => {
  it('takes the body over the query', () => {
    const kill = parseKillRequest(query('signal=INT&timeout=1s'), '{"signal":"SIGKILL","timeout":2}');
    expect(kill).toEqual({ signal: { name: 'SIGKILL', number: 9 }, timeoutMs: 2000 });
  });

  it('sends SIGTERM and waits ten seconds by default', () => {
    expect(parseKillRequest(query(''), '')).toEqual({
      signal: { name: 'SIGTERM', number: 15 },
      timeoutMs: 10_000,
    });
  });

  it('refuses a body that is no object and a timeout that is no duration', () => {
    expect(() => parseKillRequest(query(''), '[1]')).toThrow(SpriteError);
    expect(() => parseKillRequest(query('timeout=later'), '')).toThrow(SpriteError);
  });
});

describe('messages from the network', () => {
  it('are understood or ignored, and never throw', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        parseClientMessage(text);
        parseServerMessage(text);
      }),
    );
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void parseOutputFrame(bytes)));
  });

  it('throw nothing but codes on a control connection', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (args) => {
        try {
          parseExecRequest(toExecFields(args));
          parseOpStart(`control:${JSON.stringify(args)}`);
        } catch (error) {
          expect(error).toBeInstanceOf(SpriteError);
        }
      }),
    );
  });

  it('accept numbers and booleans where clients write text', () => {
    const command = parseExecCommand(toExecFields({ cmd: ['sh'], tty: true, rows: 30, cols: '90' }));
    expect(command).toMatchObject({ tty: true, rows: 30, cols: 90 });
  });
});
