import { describe, expect, it } from 'vitest';
import { createBootstrapMeter } from './bootstrap-meter.ts';

const lines = [
  'I: running apt-get update...',
  'Get:1 http://deb.example/debian trixie InRelease [140 kB]',
  'Get:4 http://deb.example/debian trixie/main amd64 Packages [9678 kB]',
  '0 upgraded, 1 newly installed, 0 to remove and 0 not upgraded.',
  'Get:1 http://deb.example/debian trixie/main amd64 libc6 amd64 2.41-12 [2847 kB]',
  'Unpacking libc6:amd64 (2.41-12) ...',
  'Setting up libc6:amd64 (2.41-12) ...',
  '0 upgraded, 1 newly installed, 0 to remove and 0 not upgraded.',
  'Get:1 http://deb.example/debian trixie/main amd64 vim amd64 9.1 [1 kB]',
  'Unpacking vim (9.1) ...',
  'Setting up vim (9.1) ...',
];

describe('createBootstrapMeter', () => {
  it('names each step, never goes back, and ends at one', () => {
    const seen: (readonly [number | undefined, string])[] = [];
    const meter = createBootstrapMeter(1, (fraction, text) => seen.push([fraction, text]));
    for (const line of lines) meter(line);
    expect(seen.map(([, text]) => text)).toEqual([
      'downloading libc6',
      'unpacking libc6',
      'setting up libc6',
      'downloading vim',
      'unpacking vim',
      'setting up vim',
    ]);
    const fractions = seen.map(([fraction]) => fraction ?? 0);
    expect([...fractions].sort((a, b) => a - b)).toEqual(fractions);
    expect(fractions.at(-1)).toBe(1);
  });
});
