import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Cli } from '../cli.ts';
import { readEnvironment } from '../config/environment.ts';
import { createProgram } from '../program.ts';
import { createStyle } from '../terminal/style.ts';
import { findCandidates } from './candidates.ts';
import { completionScripts, shells } from './scripts.ts';

const cli: Cli = {
  environment: readEnvironment({}),
  cwd: '/',
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  style: createStyle({}, true),
};

const complete = (line: string): ReturnType<typeof findCandidates> =>
  findCandidates(
    createProgram(cli, () => undefined),
    line.split(' '),
  );

describe('findCandidates', () => {
  it('proposes commands, but not hidden ones', () => {
    const { words } = complete('');
    expect(words).toContain('exec');
    expect(words).not.toContain('__complete');
    expect(complete('org keyring ').words).toEqual(expect.arrayContaining(['enable', 'disable', 'status']));
  });

  it('proposes the options of the command', () => {
    expect(complete('list --').words).toEqual([
      '--org',
      '--sprite',
      '--watch',
      '--prefix',
      '--json',
      '--help',
    ]);
  });

  it('knows where names of sprites, organizations and sessions go', () => {
    expect(complete('exec -s ').kind).toBe('sprite');
    expect(complete('destroy ').kind).toBe('sprite');
    expect(complete('-o acme list -o ').kind).toBe('org');
    expect(complete('-o acme attach -s demo ')).toMatchObject({
      kind: 'session',
      sprite: 'demo',
      org: 'acme',
    });
    expect(complete('s kill ').kind).toBe('session');
    expect(complete('restore ').kind).toBe('checkpoint');
    expect(complete('checkpoint delete -s demo ')).toMatchObject({ kind: 'checkpoint', sprite: 'demo' });
    expect(complete('checkpoints list --history ').kind).toBe('checkpoint');
    expect(complete('fork copy --from ').kind).toBe('checkpoint');
    expect(complete('completion ').words).toEqual([...shells]);
  });

  it('stays out of what runs in the sprite', () => {
    expect(complete('exec ls -')).toEqual({ words: [] });
    expect(complete('exec -- ')).toEqual({ words: [] });
  });
});

describe('completion scripts', () => {
  const checks = [
    ['bash', '/usr/bin/bash', ['-n']],
    ['zsh', '/usr/bin/zsh', ['-n']],
    ['fish', '/usr/bin/fish', ['--no-execute']],
  ] as const;

  for (const [shell, program, args] of checks) {
    it.skipIf(!existsSync(program))(`are correct ${shell} (needs ${program})`, () => {
      // fish reads no script from the socket that Node would give it as input
      const directory = mkdtempSync(join(tmpdir(), 'sprite-completion-'));
      onTestFinished(() => rmSync(directory, { recursive: true }));
      const file = join(directory, shell);
      writeFileSync(file, completionScripts[shell]);
      execFileSync(program, [...args, file]);
    });
  }

  it('complete in a real bash', () => {
    const script = `${completionScripts.bash}
sprite() { shift 2; printf 'alpha\\nbeta\\nargs:%s\\n' "$*"; }
COMP_WORDS=(sprite exec -s a); COMP_CWORD=3
_sprite_complete; printf '%s\\n' "\${COMPREPLY[@]}"`;
    expect(execFileSync('bash', ['-c', script], { encoding: 'utf8' })).toBe('alpha\nargs:exec -s a\n');
  });
});
