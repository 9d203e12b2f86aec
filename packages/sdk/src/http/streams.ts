import { KillLine, WatchLine } from '@sprites/contract';
import type { SessionKillEvent, SpriteStateEvent } from '../options.ts';
import { toKillEvent, toStateEvent } from '../wire.ts';
import { NDJSONStream } from './ndjson-stream.ts';

/** What `watchSprites` returns: a line per sprite, then a line per change. */
export class SpriteListStream extends NDJSONStream<typeof WatchLine, SpriteStateEvent> {
  constructor(response: Response) {
    super(response, WatchLine, toStateEvent);
  }
}

/** What `killSession` returns: what happens to the session, ending with `complete`. */
export class SessionKillStream extends NDJSONStream<typeof KillLine, SessionKillEvent> {
  constructor(response: Response) {
    super(response, KillLine, toKillEvent);
  }
}
