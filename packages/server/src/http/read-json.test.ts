import { describe, expect, it } from 'vitest';
import { readJson } from './read-json.ts';

/** A request whose body begins with the text and never ends. */
function endless(text: string): Request {
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode(text)),
  });
  // asked for with a stream, and not in the types
  const halfDuplex = { duplex: 'half' };
  return new Request('http://api/', { method: 'POST', body, ...halfDuplex });
}

describe('readJson', () => {
  it('gives up on a body that does not come in time', async () => {
    await expect(readJson(endless('{"name":'), 20)).rejects.toMatchObject({ code: 'request_timeout' });
  });

  it('reads no more of a body than makes sense, whether it ends or not', async () => {
    await expect(readJson(endless(`"${'x'.repeat(5_000_000)}`))).rejects.toMatchObject({
      code: 'request_too_large',
    });
  });

  it('takes no body for an empty object, and says what is not JSON', async () => {
    expect(await readJson(new Request('http://api/', { method: 'POST' }))).toEqual({});
    const broken = new Request('http://api/', { method: 'POST', body: '{"name"' });
    await expect(readJson(broken)).rejects.toMatchObject({ code: 'invalid_request' });
  });
});
