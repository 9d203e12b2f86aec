import { CheckpointLine, KillLine, ServiceLine, SpriteEvent, WatchLine } from '@sprites/contract';
import { APIError, ConnectionError } from '../errors.ts';
import type * as sdk from '../options.ts';
import type { SessionKillEvent, SpriteStateEvent, StreamMessage } from '../options.ts';
import type { ServiceLogEvent } from '../services/service.ts';
import { toEvent, toKillEvent, toServiceEvent, toStateEvent, toStreamMessage } from '../wire.ts';
import { NDJSONStream } from './ndjson-stream.ts';

/** What `watchSprites` returns: a line per sprite, then a line per change. */
export class SpriteListStream extends NDJSONStream<typeof WatchLine, SpriteStateEvent> {
  constructor(response: Response) {
    super(response, WatchLine, toStateEvent);
  }
}

/** What `events` returns: what happened to a sprite, oldest first. */
export class EventStream extends NDJSONStream<typeof SpriteEvent, sdk.SpriteEvent> {
  constructor(response: Response) {
    super(response, SpriteEvent, toEvent);
  }
}

/** What `killSession` returns: what happens to the session, ending with `complete`. */
export class SessionKillStream extends NDJSONStream<typeof KillLine, SessionKillEvent> {
  constructor(response: Response) {
    super(response, KillLine, toKillEvent);
  }
}

/** What a service writes and what happens to it, ending with `complete`. */
export class ServiceLogStream extends NDJSONStream<typeof ServiceLine, ServiceLogEvent> {
  constructor(response: Response) {
    super(response, ServiceLine, toServiceEvent);
  }
}

/** Messages of an operation on checkpoints. Leaving the stream does not end the operation. */
class OperationStream extends NDJSONStream<typeof CheckpointLine, StreamMessage> {
  readonly #requestId: string | undefined;

  constructor(response: Response) {
    super(response, CheckpointLine, toStreamMessage);
    this.#requestId = response.headers.get('x-request-id') ?? undefined;
  }

  /**
   * Reads to the end, handing what comes before it to `onMessage`, and resolves to the `complete` message. An `error`
   * message is an APIError with its code; an end with neither is a ConnectionError, and the operation may still succeed.
   */
  async wait(onMessage: (message: StreamMessage) => void = () => {}): Promise<StreamMessage> {
    for await (const message of this) {
      if (message.type === 'complete') return message;
      if (message.type === 'error') throw this.#failure(message);
      onMessage(message);
    }
    throw new ConnectionError('closed', 'the stream ended before the server said how the operation ended');
  }

  #failure({ error, errorCode }: StreamMessage): APIError {
    return new APIError(error ?? 'the operation failed', { errorCode, requestId: this.#requestId });
  }
}

/** What `createCheckpoint` returns: progress, ending with `complete` or `error`. */
export class CheckpointStream extends OperationStream {}

/** What `restoreCheckpoint` returns: progress, ending with `complete` or `error`. */
export class RestoreStream extends OperationStream {}

/** What `verifyCheckpoints` returns: a message for each checkpoint, ending with `complete` or `error`. */
export class VerifyStream extends OperationStream {}
