import { SpriteError } from '@sprites/contract';

/** Largest JSON body, in bytes: an environment of 1 MiB fits with its escapes. */
const maxBodyBytes = 4 * 1024 * 1024;
/** Longest time for a JSON body to arrive, in `ms`. */
const bodyTimeoutMs = 60_000;

/** Reads a request's JSON body; none at all counts as `{}`. Throws `invalid_request`, `request_too_large`, `request_timeout`. */
export async function readJson(request: Request, timeoutMs = bodyTimeoutMs): Promise<unknown> {
  const text = await readText(request, AbortSignal.timeout(timeoutMs));
  if (text.trim() === '') return {};
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SpriteError('invalid_request', `the body is not JSON: ${reason.slice(0, 200)}`);
  }
}

async function readText(request: Request, limit: AbortSignal): Promise<string> {
  if (request.body === null) return '';
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  const reader = request.body.getReader();
  const late = Promise.withResolvers<never>();
  // without anybody who waits for it, it is of no interest
  late.promise.catch(() => undefined);
  const refuse = (): void =>
    late.reject(new SpriteError('request_timeout', 'the body did not come in time; send it without a pause'));
  limit.addEventListener('abort', refuse, { once: true });
  for (;;) {
    const { done, value } = await Promise.race([reader.read(), late.promise]);
    if (done) break;
    bytes += value.byteLength;
    if (bytes > maxBodyBytes) {
      throw new SpriteError('request_too_large', `the body is larger than ${maxBodyBytes} bytes`);
    }
    text += decoder.decode(value, { stream: true });
  }
  return text + decoder.decode();
}
