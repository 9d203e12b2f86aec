import { type IncomingMessage, request } from 'node:http';

/** A request that failed, in words for a person. */
export class EnvError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.name = 'EnvError';
    this.exitCode = exitCode;
  }
}

export type Question = { readonly method?: string; readonly path: string; readonly body?: string };

/** The API of this sprite, at the socket inside it. */
export class Api {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** Sends a request and returns the answer, whatever its status, with its body unread. */
  async send({ method = 'GET', path, body }: Question): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const asked = request({
      socketPath: this.#socketPath,
      host: 'sprite',
      method,
      path,
      headers,
      agent: false,
    });
    asked.on('response', resolve);
    asked.on('error', (error) => reject(toEnvError(error, this.#socketPath)));
    asked.end(body);
    return await promise;
  }

  /** Sends a request that must succeed. Throws what the answer says otherwise. */
  async ask(question: Question): Promise<IncomingMessage> {
    const answer = await this.send(question);
    const { statusCode = 0 } = answer;
    if (statusCode < 400) return answer;
    throw new EnvError(messageOf(await readText(answer)) ?? `the request failed with status ${statusCode}`);
  }

  /** Sends a request that must succeed and reads its JSON; undefined when the answer is empty. */
  async askJson(question: Question): Promise<unknown> {
    const text = await readText(await this.ask(question));
    return text === '' ? undefined : JSON.parse(text);
  }

  /** Sends a request and hands over each line of its answer. */
  async askLines(
    question: Question,
    onLine: (line: Readonly<Record<string, unknown>>) => void,
  ): Promise<void> {
    const answer = await this.ask(question);
    answer.setEncoding('utf8');
    let rest = '';
    try {
      for await (const chunk of answer) {
        const lines = `${rest}${chunk}`.split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) if (line.trim() !== '') onLine(Object(JSON.parse(line)));
      }
    } catch {
      // all that is known of it is that there is no more
      throw new EnvError('the answer broke off; the sprite may have been stopped');
    }
  }
}

/** Reads the whole body of an answer. */
export async function readText(answer: IncomingMessage): Promise<string> {
  answer.setEncoding('utf8');
  let text = '';
  for await (const chunk of answer) text += chunk;
  return text;
}

function messageOf(text: string): string | undefined {
  try {
    const { message } = Object(JSON.parse(text));
    return typeof message === 'string' ? message : undefined;
  } catch {
    // an answer that is no JSON has no message
    return undefined;
  }
}

function toEnvError(error: NodeJS.ErrnoException, socketPath: string): EnvError {
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
    return new EnvError(`cannot reach ${socketPath}; this works inside a sprite only`);
  }
  if (error.code === 'EACCES') return new EnvError(`${socketPath} is for root and the user sprite only`);
  return new EnvError(`cannot reach ${socketPath}: ${error.message}`);
}
