import { SpriteError } from '@sprites/contract';

/** Largest JSON body, in bytes: an environment of 1 MiB fits with its escapes. */
const maxBodyBytes = 4 * 1024 * 1024;

/** Reads a request's JSON body; none at all counts as `{}`. Throws `invalid_request` and `request_too_large`. */
export async function readJson(request: Request): Promise<unknown> {
  const text = await readText(request);
  if (text.trim() === '') return {};
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SpriteError('invalid_request', `the body is not JSON: ${reason.slice(0, 200)}`);
  }
}

async function readText(request: Request): Promise<string> {
  if (request.body === null) return '';
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of request.body) {
    bytes += chunk.byteLength;
    if (bytes > maxBodyBytes) {
      throw new SpriteError('request_too_large', `the body is larger than ${maxBodyBytes} bytes`);
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
