import { describe, expect, it } from 'vitest';
import { readConfig } from './config.ts';

describe('readConfig', () => {
  it('takes flags before variables before defaults', () => {
    const config = readConfig({
      flags: { cpus: '2' },
      env: { SPRITES_CPUS: '4', SPRITES_LISTEN: '[::1]:0' },
    });
    expect(config.cpus).toBe(2);
    expect(config.listen).toEqual({ host: '::1', port: 0 });
    expect(config.dataDir).toBe('/var/lib/sprites');
    expect(config.extraCa).toBeUndefined();
  });

  it.each([
    ['SPRITES_LISTEN', '127.0.0.1:70000', 'HOST:PORT'],
    ['SPRITES_LISTEN', 'localhost', 'HOST:PORT'],
    ['SPRITES_CPUS', '0', '1 to 1024'],
    ['SPRITES_CPUS', 'two', '1 to 1024'],
    ['SPRITES_DATA_DIR', 'relative/dir', 'an absolute path'],
    ['SPRITES_RUNTIME', 'docker', 'runc, crun or runsc'],
    ['SPRITES_NETWORK', 'wide', '10.88.0.0/16'],
    ['SPRITES_LOG_LEVEL', 'loud', 'warn'],
  ])('refuses %s=%s and names what is allowed', (name, value, range) => {
    expect(() => readConfig({ flags: {}, env: { [name]: value } })).toThrow(
      expect.objectContaining({ message: expect.stringMatching(new RegExp(`${name}=${value}.*${range}`)) }),
    );
  });

  it('refuses a variable that is no setting, such as a misspelt one', () => {
    expect(() => readConfig({ flags: {}, env: { SPRITES_DATADIR: '/x' } })).toThrow('SPRITES_DATADIR');
  });

  it('never prints a secret', () => {
    const read = (): unknown => readConfig({ flags: {}, env: { SPRITES_BOOTSTRAP_TOKEN: 'short secret' } });
    expect(read).toThrow(expect.objectContaining({ message: expect.not.stringContaining('short secret') }));
  });
});
