/**
 * Messages on the link, the one WebSocket that the server keeps to each running agent. The host dials; each message is a
 * JSON object in a text frame. What comes from the guest is untrusted.
 */

/** Something inside the sprite that keeps it awake. */
export type Hold = {
  readonly kind: 'session' | 'task' | 'service';
  readonly id: string;
  /** what it is, in words: a command line, a task's name */
  readonly label: string;
  /** of a task: when it began, RFC 3339 */
  readonly since?: string;
  /** when it ends by itself, RFC 3339 */
  readonly until?: string;
  /** of a session: when it last had input or output, in `ms` since the epoch; it holds for the idle window from then on */
  readonly lastActiveMs?: number;
};

/** What the agent says of the sprite's life. */
export type Activity = {
  /** what keeps the sprite awake now, besides what the server sees itself */
  readonly holds: readonly Hold[];
  /** when a session, also one that has ended, last had input or output, in `ms` since the epoch */
  readonly lastActiveMs: number;
};

/** A request of a program inside that needs the outside. */
export type InsideRequest = {
  /** chosen by the guest, unique among its open requests */
  readonly id: number;
  readonly method: string;
  /** request target, e.g. `/v1/checkpoints?includeAuto=true` */
  readonly target: string;
  /** JSON text, or empty */
  readonly body: string;
};

export type GuestMessage =
  | { readonly type: 'activity'; readonly activity: Activity }
  | { readonly type: 'request'; readonly request: InsideRequest }
  /** the program inside has left */
  | { readonly type: 'cancel'; readonly id: number };

/** Pieces of the answer to an inside request, in order; `end` or `fail` is the last. */
export type HostMessage =
  | { readonly type: 'head'; readonly id: number; readonly status: number; readonly contentType: string }
  | { readonly type: 'data'; readonly id: number; readonly text: string }
  | { readonly type: 'end'; readonly id: number }
  /** the answer broke off */
  | { readonly type: 'fail'; readonly id: number };

/** Longest text frame either side sends, in bytes. */
export const largestLinkMessageBytes = 65_535;
/** Longest body of an inside request, in characters; with every one of them escaped it fits a frame. */
export const largestInsideBody = 8 * 1024;
/** Most inside requests of one sprite that are open at a time. */
export const mostInsideRequests = 16;

/** Most holds that are told of. */
export const mostHolds = 32;
const mostTextLength = 200;
const mostTargetLength = 4096;

/** Reads a message of a guest; undefined for what is none. Texts are cut and lists bounded, never trusted. */
export function parseGuestMessage(text: string): GuestMessage | undefined {
  const message = toRecord(parseJson(text));
  switch (message.type) {
    case 'activity': {
      const activity = toActivity(toRecord(message.activity));
      return activity === undefined ? undefined : { type: 'activity', activity };
    }
    case 'request': {
      const request = toRequest(toRecord(message.request));
      return request === undefined ? undefined : { type: 'request', request };
    }
    case 'cancel':
      return isId(message.id) ? { type: 'cancel', id: message.id } : undefined;
    default:
      return undefined;
  }
}

/** Reads a message of the host; undefined for what is none. */
export function parseHostMessage(text: string): HostMessage | undefined {
  const { type, id, status, contentType, text: data } = toRecord(parseJson(text));
  if (!isId(id)) return undefined;
  if (type === 'end' || type === 'fail') return { type, id };
  if (type === 'data' && typeof data === 'string') return { type, id, text: data };
  if (type === 'head' && typeof status === 'number' && typeof contentType === 'string')
    return { type, id, status, contentType };
  return undefined;
}

function toActivity({ holds, lastActiveMs }: Json): Activity | undefined {
  if (!Array.isArray(holds) || typeof lastActiveMs !== 'number' || !Number.isFinite(lastActiveMs))
    return undefined;
  const known = holds.slice(0, mostHolds).map((hold) => toHold(toRecord(hold)));
  return { holds: known.filter((hold) => hold !== undefined), lastActiveMs };
}

function toHold({ kind, id, label, since, until, lastActiveMs }: Json): Hold | undefined {
  if (kind !== 'session' && kind !== 'task' && kind !== 'service') return undefined;
  if (typeof id !== 'string' || typeof label !== 'string') return undefined;
  const begin = toTime(since);
  const end = toTime(until);
  return {
    kind,
    id: toLine(id),
    label: toLine(label),
    ...(begin === undefined ? {} : { since: begin }),
    ...(end === undefined ? {} : { until: end }),
    ...(typeof lastActiveMs === 'number' && Number.isFinite(lastActiveMs) ? { lastActiveMs } : {}),
  };
}

function toTime(text: unknown): string | undefined {
  const ms = typeof text === 'string' ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? undefined : new Date(ms).toISOString();
}

/** Control characters could draw on the terminal of whoever reads it. */
function toLine(text: string): string {
  return text.slice(0, mostTextLength).replaceAll(/\p{Cc}/gu, ' ');
}

function toRequest({ id, method, target, body }: Json): InsideRequest | undefined {
  if (!isId(id) || typeof method !== 'string' || typeof target !== 'string' || typeof body !== 'string')
    return undefined;
  if (!/^[A-Z]{1,10}$/.test(method) || !/^\/[\x21-\x7e]*$/.test(target)) return undefined;
  if (target.length > mostTargetLength || body.length > largestInsideBody) return undefined;
  return { id, method, target, body };
}

type Json = Readonly<Record<string, unknown>>;

function toRecord(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // what is no JSON is no message
    return undefined;
  }
}

function isId(id: unknown): id is number {
  return typeof id === 'number' && Number.isSafeInteger(id) && id >= 0;
}
