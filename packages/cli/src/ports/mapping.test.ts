import { describe, expect, it } from 'vitest';
import { UsageError } from '../cli-error.ts';
import { parseMapping, parseTarget } from './mapping.ts';

describe('a port to proxy', () => {
  it.each([
    ['8080', 8080, 'localhost', 8080],
    ['3000:80', 3000, 'localhost', 80],
    ['5432:db.internal:5432', 5432, 'db.internal', 5432],
    ['1:[::1]:2', 1, '::1', 2],
    ['db:80', 80, 'db', 80],
  ])('is read from %s', (text, localPort, remoteHost, remotePort) => {
    expect(parseMapping(text)).toEqual({ localPort, remoteHost, remotePort });
  });

  it.each(['', '0', '65536', 'a', '80:', ':80', '1:2:3:4', '1:::1:2'])('is not %j', (text) => {
    expect(() => parseMapping(text)).toThrow(UsageError);
  });
});

describe('the target of -W', () => {
  it.each([
    [':22', 'localhost', 22],
    ['host:22', 'host', 22],
    ['[::1]:22', '::1', 22],
  ])('is read from %s', (text, host, port) => {
    expect(parseTarget(text)).toEqual({ host, port });
  });

  it.each(['22', '', 'a:', '::1:22', ':0'])('is not %j', (text) => {
    expect(() => parseTarget(text)).toThrow(UsageError);
  });
});
