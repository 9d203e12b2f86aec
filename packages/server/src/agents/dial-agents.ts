import type { Duplex } from 'node:stream';
import { SpriteError } from '@sprites/contract';
import { type Activity, parseGuestMessage } from '@sprites/contract/link';
import type { AgentHealth, Agents, Driver } from '@sprites/core';
import { askAgent, readText } from '../sockets/ask-agent.ts';

/** Longest answer to a health question, in bytes; an agent is not trusted. */
const maxHealthBytes = 64 * 1024;

/** Asks agents over the streams that the driver dials. */
export class DialAgents implements Agents {
  readonly #driver: Driver<Duplex>;

  constructor(driver: Driver<Duplex>) {
    this.#driver = driver;
  }

  async activity(spriteId: string, signal: AbortSignal): Promise<Activity> {
    const stream = await this.#driver.dial(spriteId, signal);
    try {
      const message = parseGuestMessage(await get(stream, '/v1/activity', signal));
      if (message?.type === 'activity') return message.activity;
      throw new Error('the answer tells of no activity');
    } catch (error) {
      signal.throwIfAborted();
      throw new SpriteError('agent_unreachable', 'the program inside the sprite did not answer', {
        cause: error,
      });
    } finally {
      stream.destroy();
    }
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
  const headers = ['Host', 'sprite', 'Connection', 'close'];
  const reply = await askAgent(stream, { method: 'GET', path, headers, signal });
  if (reply.type !== 'answer' || reply.answer.statusCode !== 200)
    throw new Error(`status ${reply.answer.statusCode}`);
  return readText(reply.answer, maxHealthBytes);
}
