import { request } from 'node:http';
import type { Duplex } from 'node:stream';
import { SpriteError } from '@sprites/contract';
import type { AgentHealth, Agents, Driver } from '@sprites/core';

/** Longest answer to a health question, in bytes; an agent is not trusted. */
const maxHealthBytes = 64 * 1024;

/** Asks agents over the streams that the driver dials. */
export class DialAgents implements Agents {
  readonly #driver: Driver<Duplex>;

  constructor(driver: Driver<Duplex>) {
    this.#driver = driver;
  }

  async health(spriteId: string, signal: AbortSignal): Promise<AgentHealth> {
    const stream = await this.#driver.dial(spriteId, signal);
    try {
      const answer: unknown = JSON.parse(await get(stream, '/v1/health', signal));
      if (
        typeof answer === 'object' &&
        answer !== null &&
        'version' in answer &&
        typeof answer.version === 'string'
      ) {
        return { version: answer.version };
      }
      throw new Error('the health answer has no version');
    } catch (error) {
      signal.throwIfAborted();
      throw new SpriteError('agent_unreachable', 'the program inside the sprite did not answer', {
        cause: error,
      });
    } finally {
      stream.destroy();
    }
  }
}

async function get(stream: Duplex, path: string, signal: AbortSignal): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const question = request({ path, host: 'sprite', createConnection: () => stream, signal });
  question.on('error', reject);
  question.on('response', (answer) => {
    let text = '';
    answer.setEncoding('utf8');
    answer.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > maxHealthBytes) question.destroy(new Error('the answer is too long'));
    });
    answer.on('end', () =>
      answer.statusCode === 200 ? resolve(text) : reject(new Error(`status ${answer.statusCode}`)),
    );
    answer.on('error', reject);
  });
  question.end();
  return promise;
}
