import { type Sprite, SpritesClient } from '@fly/sprites';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testServer, uniqueName } from '../server.ts';

const { baseURL, token } = testServer();

type Stream = Awaited<ReturnType<Sprite['createService']>>;
type Event = NonNullable<Awaited<ReturnType<Stream['next']>>>;

async function read(stream: Stream): Promise<Event[]> {
  const events: Event[] = [];
  await stream.processAll((event) => {
    events.push(event);
  });
  return events;
}

describe('services through the official JS SDK', () => {
  let sprite: Sprite;

  beforeAll(async () => {
    sprite = await new SpritesClient(token, { baseURL }).createSprite(uniqueName('jssv'));
  });
  afterAll(async () => {
    await sprite?.destroy();
  });

  it('are created with a stream of their first output, listed and got', async () => {
    const script = 'echo "at $PWD as $WHO"; echo oops >&2; exec sleep 1000';
    const created = await sprite.createService(
      'web',
      { cmd: 'sh', args: ['-c', script], env: { WHO: 'me' }, dir: '/tmp', httpPort: 3000 },
      '1s',
    );
    const events = await read(created);
    expect(events.map(({ type }) => type)).toEqual([
      'started',
      expect.any(String),
      expect.any(String),
      'complete',
    ]);
    expect(
      events
        .slice(1, 3)
        .map(({ type, data }) => `${type} ${data}`)
        .sort(),
    ).toEqual(['stderr oops\n', 'stdout at /tmp as me\n']);
    expect(events.at(-1)?.logFiles).toMatchObject({ combined: '/.sprite/logs/services/web.log' });
    expect(Number.isInteger(events[0]?.timestamp)).toBe(true);
    const wanted = {
      name: 'web',
      cmd: 'sh',
      args: ['-c', script],
      env: { WHO: 'me' },
      dir: '/tmp',
      needs: [],
      httpPort: 3000,
      state: { name: 'web', status: 'running', pid: expect.any(Number), restartCount: 0, error: '' },
    };
    expect(await sprite.listServices()).toMatchObject([wanted]);
    expect(await sprite.getService('web')).toMatchObject(wanted);
    const { stdout } = await sprite.execFile('cat', ['/.sprite/logs/services/web.log']);
    expect(stdout).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \[std(out|err)\] /);
  });

  it('are stopped, started, restarted and signalled', async () => {
    expect((await read(await sprite.stopService('web', '5s'))).map(({ type }) => type)).toEqual([
      'stopping',
      'stopped',
      'complete',
    ]);
    await expect(sprite.stopService('web')).rejects.toThrow('Service not running');
    await expect(sprite.signalService('web', 'HUP')).rejects.toThrow('Service not running');
    expect((await read(await sprite.startService('web', '0s'))).map(({ type }) => type)).toEqual([
      'started',
      'complete',
    ]);
    const restarted = await read(await sprite.restartService('web', '0s'));
    expect(restarted.map(({ type }) => type)).toEqual(['stopping', 'stopped', 'started', 'complete']);
    await sprite.signalService('web', 'SIGTERM');
    await expect
      .poll(async () => (await sprite.getService('web')).state, { timeout: 20_000 })
      .toMatchObject({ status: 'running', restartCount: 1 });
    await expect(sprite.signalService('web', 'SIGNOPE')).rejects.toThrow('Invalid signal');
  });

  it('tell what they wrote and go on to write', async () => {
    const script = 'n=0; while :; do n=$((n+1)); echo "line $n"; sleep 0.1; done';
    await read(await sprite.createService('talker', { cmd: 'sh', args: ['-c', script] }, '500ms'));
    const backlog = await read(await sprite.getServiceLogs('talker', { lines: 2 }));
    expect(backlog.map(({ type }) => type)).toEqual(['stdout', 'stdout', 'complete']);
    const followed = await read(await sprite.getServiceLogs('talker', { duration: '1s' }));
    const numbers = followed.slice(0, -1).map(({ data }) => Number(data?.slice('line '.length)));
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    expect(numbers.length).toBeGreaterThan(backlog.length);
  });

  it('that do not go together are refused', async () => {
    await expect(sprite.createService('two', { cmd: 'true', httpPort: 80 })).rejects.toThrow(
      /Service conflict: .*another service already has an HTTP port configured/,
    );
    await expect(sprite.createService('two', { cmd: 'true', needs: ['three'] })).rejects.toThrow(
      'status 400',
    );
    await expect(sprite.createService('signal', { cmd: 'true' })).rejects.toThrow('status 400');
    await expect(sprite.getService('three')).rejects.toThrow('Service not found');
    await expect(sprite.startService('three')).rejects.toThrow('Service not found');
    await expect(sprite.deleteService('three')).rejects.toThrow('Service not found');
  });

  it('are deleted, unless another one needs them', async () => {
    await read(await sprite.createService('front', { cmd: 'sleep', args: ['9'], needs: ['web'] }, '0s'));
    await expect(sprite.deleteService('web')).rejects.toThrow('Service conflict');
    for (const name of ['front', 'web', 'talker']) await sprite.deleteService(name);
    expect(await sprite.listServices()).toEqual([]);
  });
});
