import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { hasKeyring, keyringKey, readSecret, removeSecret, storeSecret } from './keyring.ts';

/** Stands in for libsecret's program; keeps each secret in a file and notes its arguments. */
const fakeSecretTool = `#!/bin/sh
dir=\${0%/*}
echo "$*" >> "$dir/log"
for last; do :; done
name=$(printf %s "$last" | tr -c 'a-z0-9' _)
case $1 in
  store) cat > "$dir/secret-$name" ;;
  lookup) cat "$dir/secret-$name" 2>/dev/null ;;
  clear) rm -f "$dir/secret-$name" ;;
esac
`;

describe('the keyring', () => {
  let dir: string;

  beforeAll(async () => {
    dir = await mkdtemp(path.join(tmpdir(), 'sprites-keyring-'));
    await writeFile(path.join(dir, 'secret-tool'), fakeSecretTool);
    await chmod(path.join(dir, 'secret-tool'), 0o755);
    vi.stubEnv('PATH', `${dir}:${process.env.PATH ?? ''}`);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await rm(dir, { recursive: true, force: true });
  });

  it('keeps a token and gives it back, never on a command line', async () => {
    const key = keyringKey({ apiUrl: 'http://127.0.0.1:7777', org: 'acme' });
    expect(await hasKeyring()).toBe(true);
    await storeSecret(key, 'acme/1/2/secret');
    expect(await readSecret(key)).toBe('acme/1/2/secret');
    await removeSecret(key);
    expect(await readSecret(key)).toBeUndefined();
    expect(await readFile(path.join(dir, 'log'), 'utf8')).not.toContain('acme/1/2/secret');
  });

  it('says so when there is none', async () => {
    vi.stubEnv('PATH', '/nowhere');
    expect(await hasKeyring()).toBe(false);
    expect(await readSecret('any')).toBeUndefined();
    await expect(storeSecret('any', 'x')).rejects.toThrow('secret-tool is missing');
    vi.stubEnv('PATH', `${dir}:/usr/bin:/bin`);
  });
});
