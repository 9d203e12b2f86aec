import { describe, expect, it } from 'vitest';
import { isCleartext, normalizeApiUrl } from './api-url.ts';

describe('normalizeApiUrl', () => {
  it.each([
    ['http://127.0.0.1:7777/', 'http://127.0.0.1:7777'],
    ['127.0.0.1:7777', 'http://127.0.0.1:7777'],
    ['localhost', 'http://localhost'],
    ['sprites.example.com', 'https://sprites.example.com'],
    ['HTTPS://Example.com:443/api//', 'https://example.com/api'],
  ])('makes %s %s', (text, url) => {
    expect(normalizeApiUrl(text)).toBe(url);
  });

  it.each(['ftp://example.com', 'http://', 'not a url', ''])('refuses %j', (text) => {
    expect(() => normalizeApiUrl(text)).toThrow(/is not an API URL/);
  });
});

describe('isCleartext', () => {
  it('tells a token that crosses a network unencrypted', () => {
    expect(isCleartext('http://sprites.example.com')).toBe(true);
    expect(isCleartext('http://127.0.0.1.example.com')).toBe(true);
    expect(isCleartext('https://sprites.example.com')).toBe(false);
    expect(isCleartext('http://127.0.0.1:7777')).toBe(false);
    expect(isCleartext('http://[::1]:7777')).toBe(false);
  });
});
