import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseGuestMessage, parseHostMessage } from './link.ts';

describe('parseGuestMessage', () => {
  it('reads activity and bounds what it says', () => {
    const holds = Array.from({ length: 100 }, (_, i) => ({
      kind: 'task',
      id: String(i),
      label: `a\u001b[31m${'x'.repeat(500)}`,
      until: '2026-01-01T00:00:00Z',
    }));
    const message = parseGuestMessage(
      JSON.stringify({ type: 'activity', activity: { holds: [...holds], lastActiveMs: 5 } }),
    );
    if (message?.type !== 'activity') throw new Error('not read');
    expect(message.activity.holds).toHaveLength(32);
    expect(message.activity.holds[0]?.label).toMatch(/^a \[31mx{194}$/);
    expect(message.activity.holds[0]?.until).toBe('2026-01-01T00:00:00.000Z');
  });

  it('leaves out holds it does not know', () => {
    const holds = [{ kind: 'magic', id: '1', label: 'x' }, 7, { kind: 'session', id: '1', label: 'sh' }];
    const text = JSON.stringify({ type: 'activity', activity: { holds, lastActiveMs: 1 } });
    expect(parseGuestMessage(text)).toEqual({
      type: 'activity',
      activity: { holds: [{ kind: 'session', id: '1', label: 'sh' }], lastActiveMs: 1 },
    });
  });

  it.each([
    ['a method in lower case', { id: 1, method: 'get', target: '/v1/x', body: '' }],
    ['a target with a line end', { id: 1, method: 'GET', target: '/v1/x\r\nHost: y', body: '' }],
    ['a target that is no path', { id: 1, method: 'GET', target: 'http://x', body: '' }],
    ['a body that is too long', { id: 1, method: 'GET', target: '/v1/x', body: 'x'.repeat(8193) }],
    ['an id that is no number', { id: '1', method: 'GET', target: '/v1/x', body: '' }],
  ])('refuses a request with %s', (_, request) => {
    expect(parseGuestMessage(JSON.stringify({ type: 'request', request }))).toBeUndefined();
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        parseGuestMessage(text);
        parseHostMessage(text);
      }),
    );
  });
});
