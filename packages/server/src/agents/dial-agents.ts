import { type Duplex, Readable } from 'node:stream';
import { SpriteError } from '@sprites/contract';
import { type Activity, parseGuestMessage } from '@sprites/contract/link';
import { parseRestoreResult, type RestoreOrder, type RestoreResult } from '@sprites/contract/restore';
import type { AgentHealth, Agents, Driver } from '@sprites/core';
import { askAgent, readText } from '../sockets/ask-agent.ts';
import { refusalOf } from './refusal.ts';

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

  async restorePaths(spriteId: string, order: RestoreOrder, signal: AbortSignal): Promise<RestoreResult> {
    const stream = await this.#driver.dial(spriteId, signal);
    try {
      const result = parseRestoreResult(await post(stream, { path: '/v1/restore', body: order }, signal));
      if (result !== undefined) return result;
      throw new Error('the answer is no result of a restore');
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof SpriteError) throw error;
      throw new SpriteError('agent_unreachable', 'the program inside the sprite did not put the paths back', {
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

/** Longest answer to an order, in bytes. */
const maxAnswerBytes = 64 * 1024;

async function post(
  stream: Duplex,
  { path, body }: { readonly path: string; readonly body: object },
  signal: AbortSignal,
): Promise<unknown> {
  const text = Buffer.from(JSON.stringify(body));
  const headers = ['Host', 'sprite', 'Connection', 'close', 'Content-Length', String(text.length)];
  const reply = await askAgent(stream, {
    method: 'POST',
    path,
    headers,
    body: Readable.from([text]),
    signal,
  });
  if (reply.type !== 'answer') throw new Error('the agent answered with another protocol');
  const answer: unknown = JSON.parse(await readText(reply.answer, maxAnswerBytes));
  if (reply.answer.statusCode === 200) return answer;
  throw refusalOf(answer) ?? new Error(`status ${reply.answer.statusCode}`);
}

async function get(stream: Duplex, path: string, signal: AbortSignal): Promise<string> {
  const headers = ['Host', 'sprite', 'Connection', 'close'];
  const reply = await askAgent(stream, { method: 'GET', path, headers, signal });
  if (reply.type !== 'answer' || reply.answer.statusCode !== 200)
    throw new Error(`status ${reply.answer.statusCode}`);
  return readText(reply.answer, maxHealthBytes);
}
