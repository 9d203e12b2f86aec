import { describe, expect, it } from 'vitest';
import { translateArgv } from './argv.ts';

const translate = (line: string): string => translateArgv(line.split(' ')).join(' ');

describe('translateArgv', () => {
  it('gives older spellings their second dash', () => {
    expect(translate('exec -tty -dir /app -env A=1,B=2 ls')).toBe('exec --tty --dir /app --env A=1,B=2 ls');
    expect(translate('destroy -s demo -force')).toBe('destroy -s demo --force');
    expect(translate('exec -id 7')).toBe('exec --id 7');
  });

  it('takes a value after an equals sign', () => {
    expect(translate('exec -dir=/a=b ls')).toBe('exec --dir=/a=b ls');
    expect(translate('-o=acme list')).toBe('-o acme list');
  });

  it('leaves what runs in the sprite alone', () => {
    expect(translate('exec ls -tty -la')).toBe('exec ls -tty -la');
    expect(translate('exec -s demo npm -force')).toBe('exec -s demo npm -force');
    expect(translate('x -- -tty')).toBe('x -- -tty');
    expect(translate('-s demo api /exec -X GET -file')).toBe('-s demo api /exec -X GET -file');
  });

  it('does not take the value of an option for the command', () => {
    expect(translate('-s exec list -force')).toBe('-s exec list --force');
    expect(translate('exec -dir -tty ls -tty')).toBe('exec --dir -tty ls -tty');
  });

  it('leaves unknown and present spellings as they are', () => {
    expect(translate('list -w --prefix dev -x')).toBe('list -w --prefix dev -x');
    expect(translateArgv([])).toEqual([]);
  });
});
