import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandLine } from '../cli/command-line.ts';
import { testServer, uniqueName } from '../server.ts';
import { prepareOpenSsh } from './openssh.ts';

const run = promisify(execFile);
const server = testServer();
const entry = fileURLToPath(new URL('../../../packages/cli/bin/sprite.js', import.meta.url));

/** Makes keys and an account for the server, and starts it on port 22. */
const setUp = `set -e
mkdir -p /run/sshd ~sprite/.ssh
grep -q ^sshd: /etc/passwd || echo 'sshd:x:74:65534::/run/sshd:/usr/sbin/nologin' >> /etc/passwd
usermod -p '*' sprite
cat > ~sprite/.ssh/authorized_keys
chown -R sprite: ~sprite/.ssh && chmod -R go= ~sprite/.ssh
cp /opt/openssh/host_key /root/host_key && chmod 600 /root/host_key
chmod +x /opt/openssh/ld.so
exec /opt/openssh/ld.so --library-path /opt/openssh /opt/openssh/sshd -D -e -r -h /root/host_key -f /dev/null \\
  -o UsePAM=no -o 'Subsystem=sftp internal-sftp' -o ListenAddress=127.0.0.1`;

describe('ssh through sprite proxy -W', () => {
  let cli: CommandLine;
  let sprite: Sprite;
  let options: readonly string[];
  let said = '';

  beforeAll(async () => {
    cli = await CommandLine.openFor(server);
    sprite = await new SpritesClient(server.token, { baseURL: server.baseURL }).createSprite(
      uniqueName('ssh'),
    );
    const openssh = await prepareOpenSsh();
    const copied = await cli.run(['cp', '-s', sprite.name, openssh, ':/tmp/openssh']);
    if (copied.code !== 0) throw new Error(copied.stderr);
    const key = path.join(cli.home, 'key');
    const hostKey = path.join(cli.home, 'host_key');
    for (const file of [key, hostKey]) await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
    await cli.run(['cp', '-s', sprite.name, hostKey, ':/tmp/openssh/host_key']);
    const events = await sprite.watchPorts();
    const sshd = sprite.spawn('sudo', ['sh', '-c', `mv /tmp/openssh /opt/openssh; ${setUp}`]);
    sshd.stderr.on('data', (text) => {
      said += text;
    });
    sshd.on('error', () => undefined);
    sshd.stdin.end(await readFile(`${key}.pub`));
    const isUp = (async () => {
      for await (const event of events) if (event.type === 'port_opened' && event.port === 22) return;
    })();
    await Promise.race([
      isUp,
      sshd.wait().then((code) => Promise.reject(new Error(`sshd ended with ${code}: ${said}`))),
    ]);
    const known = path.join(cli.home, 'known_hosts');
    await writeFile(known, `sprite ${await readFile(`${hostKey}.pub`, 'utf8')}`);
    const proxy = `${process.execPath} ${entry} proxy -s ${sprite.name} -W :22`;
    options = ['-F', 'none', '-i', key, '-o', `UserKnownHostsFile=${known}`, '-o', `ProxyCommand=${proxy}`];
  }, 300_000);
  afterAll(async () => {
    await sprite?.destroy();
    await cli?.close();
  });

  const env = (): NodeJS.ProcessEnv => ({
    ...process.env,
    HOME: cli.home,
    SPRITES_API_URL: server.baseURL,
    SPRITE_TOKEN: server.token,
  });

  it('runs commands on an OpenSSH server in the sprite', async () => {
    const { stdout } = await run('ssh', [...options, 'sprite@sprite', 'id -un; hostname; exit 0'], {
      env: env(),
    });
    expect(stdout).toBe(`sprite\n${sprite.name}\n`);
    const failed = await run('ssh', [...options, 'sprite@sprite', 'exit 7'], { env: env() }).catch(
      (error: unknown) => error,
    );
    expect(failed).toMatchObject({ code: 7 });
  });

  it('carries files by sftp, as SSHFS does', async () => {
    await writeFile(path.join(cli.home, 'up'), Buffer.alloc(5_000_000, 'sftp'));
    await writeFile(
      path.join(cli.home, 'batch'),
      `put ${cli.home}/up there\nget there ${cli.home}/down\nls -l there\n`,
    );
    await run('sftp', [...options, '-b', path.join(cli.home, 'batch'), 'sprite@sprite'], { env: env() });
    expect(
      (await readFile(path.join(cli.home, 'down'))).equals(await readFile(path.join(cli.home, 'up'))),
    ).toBe(true);
  });
});
