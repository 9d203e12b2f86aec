import { describe, expect, it } from 'vitest';
import { chooseMirrors, toSourceLines, toSourcesFile } from './apt-sources.ts';

const mirrors = {
  main: 'http://mirror.example/debian',
  security: 'http://mirror.example/debian-security',
};

describe('chooseMirrors', () => {
  it('takes the host’s mirrors from deb822 files', () => {
    const text = [
      'Types: deb deb-src',
      '# a comment in between',
      'URIs: https://mirror.example/debian',
      'Suites: bookworm bookworm-updates',
      'Components: main contrib',
      '',
      'Types: deb',
      'URIs: https://mirror.example/security',
      'Suites: bookworm-security',
      'Components: main',
    ].join('\n');
    expect(chooseMirrors([{ deb822: true, text }], 'bookworm')).toEqual({
      main: 'https://mirror.example/debian',
      security: 'https://mirror.example/security',
    });
  });

  it('takes them from one-line files, with options and comments', () => {
    const text = [
      '# deb http://commented.example/debian bookworm main',
      'deb-src http://source.example/debian bookworm main',
      'deb https://other.example/apt cloud main',
      'deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] http://one.example/debian bookworm main # why',
      'deb http://two.example/security bookworm-security main',
    ].join('\n');
    expect(chooseMirrors([{ deb822: false, text }], 'bookworm')).toEqual({
      main: 'http://one.example/debian',
      security: 'http://two.example/security',
    });
  });

  it('leaves the choice open where the host has nothing fitting', () => {
    const files = [
      { deb822: false, text: 'deb cdrom:[disc]/ bookworm main\ndeb mirror+file:/etc/x bookworm main' },
      {
        deb822: true,
        text: 'Types: deb\nEnabled: no\nURIs: http://off.example\nSuites: bookworm\nComponents: main',
      },
      { deb822: true, text: 'Types:\nURIs:\n\n\n:::' },
    ];
    expect(chooseMirrors(files, 'bookworm')).toBeUndefined();
  });
});

describe('the sources of an image', () => {
  it('name release, updates and security', () => {
    expect(toSourceLines(mirrors, 'trixie')).toEqual([
      'deb http://mirror.example/debian trixie main',
      'deb http://mirror.example/debian trixie-updates main',
      'deb http://mirror.example/debian-security trixie-security main',
    ]);
  });

  it('carry no credentials into the image', () => {
    const withPassword = { ...mirrors, main: 'https://user:secret@mirror.example/debian' };
    const text = toSourcesFile(withPassword, 'trixie');
    expect(text).toContain('URIs: https://mirror.example/debian\nSuites: trixie trixie-updates\n');
    expect(text).not.toContain('secret');
  });
});
