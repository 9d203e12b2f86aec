import type { ChildProcess } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { runTool } from '@sprites/linux';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { LinuxNetwork } from './linux-network.ts';
import { openNetwork } from './open-network.ts';
import { allow, ask, connect, echo, holdScript, plugged } from './test-egress.ts';
import { closeLab, makeDirectory, openLab, startNeighbour, startProgram } from './test-lab.ts';
import { zoneServer } from './test-zone.ts';

const resolver = '198.51.100.2';
const [good, evil, other] = ['198.51.100.3', '198.51.100.4', '198.51.100.5'];

const zone = {
  'good.test': [[1, good, 60]],
  'evil.test': [[1, evil, 60]],
  '*.wild.test': [[1, other, 60]],
};

// Asks by TCP for names with a thousand addresses each; prints how many addresses it was told.
const askForManyScript = `
import socket, struct
told = 0
for n in range(25):
    name = b'crowd%d' % n
    q = b'\\x12\\x34\\x01\\x00\\x00\\x01' + bytes(6) + bytes([len(name)]) + name + b'\\x04test\\0\\0\\1\\0\\1'
    s = socket.create_connection(('10.88.0.1', 53), timeout=5); s.sendall(struct.pack('>H', len(q)) + q)
    r = b''
    while len(r) < 2 or len(r) < 2 + r[0] * 256 + r[1]: r += s.recv(65535)
    told += r[8] * 256 + r[9]; s.close()
print(told)
`;

const opened: LinuxNetwork[] = [];
const warnings: string[] = [];
let stateDir = '';

async function open(options: Partial<Parameters<typeof openNetwork>[0]> = {}): Promise<LinuxNetwork> {
  const { signal } = new AbortController();
  const network = await openNetwork({
    range: '10.88.0.0/16',
    instance: 'aaaa0005',
    stateDir,
    upstreams: [resolver],
    signal,
    log: { info: () => undefined, warn: (_, message) => warnings.push(message) },
    ...options,
  });
  opened.push(network);
  return network;
}

describe.skipIf(process.getuid?.() !== 0)('what a sprite learnt', () => {
  beforeAll(async () => {
    await openLab();
    stateDir = makeDirectory();
    const internet = await startNeighbour('uplink', '198.51.100.1/24', `${resolver}/24`);
    for (const address of [good, evil, other])
      await internet.run(['ip', 'addr', 'add', `${address}/24`, 'dev', 'eth0']);
    await startProgram(internet, zoneServer.replace('ZONE', JSON.stringify(zone)));
  });
  afterEach(async () => {
    for (const network of opened.splice(0).reverse()) await network.release();
    expect(warnings.splice(0)).toEqual([]);
  });
  afterAll(closeLab);

  it('knows after a restart by which names open connections came about', async () => {
    const first = await open();
    const [restricted, free] = [
      await plugged(first, 17, allow('*')),
      await plugged(first, 18, { rules: [] }),
    ];
    const held: ChildProcess[] = [];
    for (const sprite of [restricted, free]) {
      for (const [name, address] of [['good.test', good] as const, ['evil.test', evil] as const]) {
        expect(await ask(sprite, name)).toBe('ok 1');
        held.push(await startProgram(sprite, holdScript(address)));
      }
    }
    await first.close();
    const second = await open();
    await second.repair(
      new Map([
        [17, { spriteId: 'sprite_17', policy: allow('*') }],
        [18, { spriteId: 'sprite_18', policy: { rules: [] } }],
      ]),
    );
    for (const slot of [17, 18]) await second.restrict(slot, allow('good.test'));
    const said: string[] = [];
    for (const program of held) said.push(await echo(program, 'still'));
    expect(said).toEqual(['still', 'cut', 'still', 'cut']);
    // what the kernel let a sprite reach before, it may reach for the time that was left
    expect(await connect(restricted, good)).toBe('reached');
    expect(await connect(restricted, evil)).toBe('refused');
    await second.unplug(17);
    expect(readdirSync(stateDir)).toEqual(['sprite_18']);
  });

  it('takes no address for an allowed one that a name led to which only looks allowed', async () => {
    const network = await open();
    const sprite = await plugged(network, 19, { rules: [] });
    const lookalike = JSON.stringify(['a.wild', 'test']);
    expect(await ask(sprite, lookalike)).toBe('ok 1');
    const held = await startProgram(sprite, holdScript(other));
    await network.restrict(19, allow('*.wild.test'));
    expect(await echo(held, 'still')).toBe('cut');
    expect(await connect(sprite, other)).toBe('refused');
  });

  it('keeps the newest addresses when a sprite is told of very many, and harms no other', async () => {
    const network = await open({ queriesPerSecond: 1000 });
    const [greedy, quiet] = [
      await plugged(network, 20, allow('*')),
      await plugged(network, 21, allow('good.test')),
    ];
    await ask(quiet, 'good.test');
    await connect(quiet, good);
    const { output } = await greedy.run(['python3', '-c', askForManyScript], 20_000);
    expect(output.trim()).toBe('25000');
    const learnt = await runTool(['nft', 'list', 'set', 'inet', 'sprites_aaaa0005', 'learnt_20']);
    expect(learnt.match(/timeout/g)?.length).toBe(4096 + 1);
    // a table made anew would count from the beginning
    expect((await network.traffic(21)).sentBytes.get(good)).toBeGreaterThan(100);
    expect(await ask(greedy, 'good.test')).toBe('ok 1');
    expect(await connect(greedy, good)).toBe('reached');
  });
});
