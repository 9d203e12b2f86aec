import { execFile } from 'node:child_process';
import { chmod } from 'node:fs/promises';
import { promisify } from 'node:util';
import { SpritesClient } from '@sprites/sdk';
import { startTestServer, type TestServer } from '@sprites/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
  // a server makes its data directory so that all may pass through; the one of tests is tighter
  await chmod(server.dataDir, 0o711);
  const sprite = await new SpritesClient(server.token, { baseURL: server.baseUrl }).createSprite('private', {
    environment: { SECRET: 'of the sprite' },
  });
  await sprite.execFile('sh', ['-c', 'echo secret >file; chmod 666 file; chmod 777 ~']);
});

afterAll(async () => {
  await server?.close();
});

/** Runs a program as a user of the host who has nothing to do with sprites. */
async function asNobody(...command: readonly string[]): Promise<string> {
  const { stdout } = await run('setpriv', [
    ...['--reuid=65534', '--regid=65534', '--clear-groups'],
    ...command,
  ]).catch((error: unknown) => Object(error));
  return String(stdout).trim();
}

/** Everything below a directory, found as root. */
async function everything(dir: string, ...type: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await run('find', [dir, '-xdev', ...type], { maxBuffer: 64 * 1024 * 1024 });
  return stdout.trim().split('\n');
}

describe('another user of the host', () => {
  it('can read no file of the data or run directory but the program that all sprites share', async () => {
    const files = [
      ...(await everything(server.dataDir, '-type', 'f')),
      ...(await everything(server.runDir, '-type', 'f')),
    ];
    expect(files.some((file) => file.endsWith('/sprites.db'))).toBe(true);
    expect(files.some((file) => file.endsWith('/machine.json'))).toBe(true);
    const program = 'for file; do head -c 1 "$file" >/dev/null 2>&1 && echo "$file"; done; true';
    const readable = await asNobody('sh', '-c', program, 'sh', ...files);
    const shared = new RegExp(`^(${server.dataDir}/agent|${server.runDir}/agents)/`);
    expect(readable.split('\n').filter((file) => file !== '' && !shared.test(file))).toEqual([]);
  });

  it('can reach no socket of an agent and nothing of a sprite’s tree', async () => {
    const sockets = await everything(server.runDir, '-type', 's');
    expect(sockets).toHaveLength(1);
    const program =
      'import socket, sys\nfor path in sys.argv[1:]:\n  try: socket.socket(socket.AF_UNIX).connect(path); print("REACHED")\n  except OSError: pass';
    expect(await asNobody('python3', '-c', program, ...sockets)).toBe('');
    const roots = [`${server.runDir}/machines`, `${server.runDir}/disks`];
    for (const root of roots) {
      const entries = await everything(root);
      const found = await asNobody(
        'sh',
        '-c',
        'for p; do ls "$p" 2>/dev/null && echo "$p"; done; true',
        'sh',
        ...entries.slice(1),
      );
      expect(found).toBe('');
    }
  });

  it('finds no token in the arguments of any process', async () => {
    const said = await asNobody('sh', '-c', 'cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null');
    expect(said).not.toContain(server.token);
  });
});
