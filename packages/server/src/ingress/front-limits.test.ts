import { connect, type Socket } from 'node:net';
import { ManualClock } from '@sprites/testkit';
import { expect, it, onTestFinished } from 'vitest';
import { openFront } from '../testing/front.ts';

type Client = { readonly socket: Socket; readonly said: () => string; readonly closed: Promise<void> };

async function fixture(program?: Parameters<typeof openFront>[0]['program']) {
  const clock = new ManualClock();
  const seen: string[] = [];
  const { port, hostOf } = await openFront({
    clock,
    program: (bytes, answer) => {
      seen.push(bytes.toString('latin1'));
      program?.(bytes, answer);
    },
  });
  const open = (): Client => {
    const socket = connect(port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => {});
    let text = '';
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
    });
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    return { socket, said: () => text, closed };
  };
  return { clock, open, seen: () => seen.join(''), host: hostOf('open') };
}

/** Lets seconds pass until it happens: how many is what a test is about, when bytes are here is not. */
async function passUntil(clock: ManualClock, happens: () => boolean, mostS: number): Promise<number> {
  for (let s = 0; s <= mostS; s++) {
    // what was written meanwhile crosses the loopback
    for (let turns = 0; turns < 5 && !happens(); turns++)
      await new Promise<void>((resolve) => setImmediate(resolve));
    if (happens()) return s;
    await clock.advance(1000);
  }
  throw new Error(`it did not happen within ${mostS} s`);
}

it('ends the connection of a client that does not finish its request’s head', async () => {
  const { clock, open, seen, host } = await fixture();
  const client = open();
  client.socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nX-Slow: `);
  await passUntil(clock, () => client.socket.bytesWritten > 0, 5);
  const s = await passUntil(clock, () => client.said() !== '', 60);
  expect(client.said()).toMatch(/^HTTP\/1\.1 408 /);
  expect(s).toBeGreaterThan(20);
  await client.closed;
  expect(seen()).toBe('');
});

it('ends the connection of a client that drips its head, whatever it sends', async () => {
  const { clock, open, host } = await fixture();
  const client = open();
  client.socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n`);
  const drip = (): boolean => {
    if (client.said() !== '') return true;
    client.socket.write('X: y\r\n');
    return false;
  };
  await passUntil(clock, drip, 60);
  expect(client.said()).toMatch(/^HTTP\/1\.1 408 /);
});

it('says 504 when the program never answers, and ends the program’s connection', async () => {
  const { clock, open, seen, host } = await fixture();
  const client = open();
  client.socket.write(`GET /never HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  await expect.poll(seen).toContain('GET /never');
  const s = await passUntil(clock, () => client.said() !== '', 400);
  expect(client.said()).toMatch(/^HTTP\/1\.1 504 /);
  expect(s).toBeGreaterThan(250);
});

it('ends the connection of a client that stops in the middle of a body', async () => {
  const { clock, open, seen, host } = await fixture();
  const client = open();
  client.socket.write(`POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 100\r\n\r\nhalf`);
  await expect.poll(seen).toContain('half');
  let isClosed = false;
  void client.closed.then(() => {
    isClosed = true;
  });
  const s = await passUntil(clock, () => isClosed, 300);
  expect(s).toBeGreaterThan(100);
});

it('ends a connection without a request', async () => {
  const { clock, open, host } = await fixture((_bytes, answer) =>
    answer('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'),
  );
  const client = open();
  client.socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  await expect.poll(client.said).toContain('\r\n\r\nok');
  let isEnded = false;
  client.socket.once('end', () => {
    isEnded = true;
  });
  const s = await passUntil(clock, () => isEnded, 120);
  expect(s).toBeGreaterThan(60);
});

it('reads no answer without an end', async () => {
  const { open, host } = await fixture((_bytes, answer) => {
    answer('HTTP/1.1 200 OK\r\n');
    for (let i = 0; i < 10; i++) answer(`X-Filler: ${'y'.repeat(32_000)}\r\n`);
  });
  const client = open();
  client.socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  await expect.poll(client.said).toContain('longer than');
  expect(client.said()).toMatch(/^HTTP\/1\.1 502 /);
});

it('passes on what was read also when the memory is read into again', async () => {
  const pieces = Array.from({ length: 200 }, (_, i) => String(i % 10).repeat(60_000));
  const length = 200 * 60_000;
  const { open, host } = await fixture((_bytes, answer) => {
    answer(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`);
    for (const piece of pieces) answer(piece);
  });
  const client = open();
  client.socket.pause();
  client.socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  await new Promise<void>((resolve) => setImmediate(resolve));
  client.socket.resume();
  await client.closed;
  expect(client.said().endsWith(`\r\n\r\n${pieces.join('')}`)).toBe(true);
});
