/**
 * Every way a request can fail, by the code that goes over the wire, with the HTTP status it is
 * rendered as and what a reader of the API reference is told. Spec section 2.
 */
export const errorTable = {
  invalid_request: { status: 400, description: 'the request is malformed or a value is out of range' },
  invalid_policy: { status: 400, description: 'the policy is malformed; the message names the rule' },
  unknown_image: { status: 400, description: 'no base image of that name is installed on this server' },
  invalid_signal: { status: 400, description: 'the signal name or number does not exist' },
  unauthorized: { status: 401, description: 'the bearer token is missing, malformed or revoked' },
  forbidden: { status: 403, description: 'the token is good but does not allow this' },
  not_found: { status: 404, description: 'no endpoint has this path' },
  sprite_not_found: {
    status: 404,
    description: 'no sprite of that name belongs to the token’s organisation',
  },
  session_not_found: { status: 404, description: 'the session does not exist or has ended' },
  method_not_allowed: { status: 405, description: 'the path exists but not with this method' },
  sprite_already_exists: { status: 409, description: 'a sprite of that name already exists' },
  service_not_found: { status: 404, description: 'the sprite has no service of that name' },
  service_conflict: { status: 409, description: 'another service or request stands in the way' },
  service_not_running: { status: 409, description: 'the service is not running' },
  task_not_found: { status: 404, description: 'the sprite has no task of that name' },
  task_already_exists: { status: 409, description: 'a task of that name already exists' },
  checkpoint_not_found: { status: 404, description: 'the sprite has no checkpoint of that id' },
  checkpoint_in_use: { status: 409, description: 'the checkpoint is what the sprite is based on' },
  checkpoint_damaged: { status: 409, description: 'the checkpoint cannot be restored' },
  disk_damaged: {
    status: 409,
    description: 'the disk of the sprite is missing or damaged; the message says how to get its files back',
  },
  operation_in_progress: {
    status: 409,
    description: 'another checkpoint or restore of the sprite is under way',
  },
  path_not_found: { status: 404, description: 'nothing has that path there' },
  not_text: { status: 422, description: 'the file is no text, or too large or too different for a patch' },
  session_exited: { status: 410, description: 'the session has already exited' },
  request_too_large: { status: 413, description: 'the request body is larger than the limit' },
  request_header_too_large: {
    status: 431,
    description: 'the request line and headers are larger than the limit',
  },
  upgrade_required: { status: 426, description: 'the path answers WebSocket upgrades only' },
  request_timeout: {
    status: 408,
    description: 'the headers or the body of the request did not come in time',
  },
  rate_limited: { status: 429, description: 'too many requests with this token within the window' },
  sprite_creation_rate_limited: { status: 429, description: 'too many sprites created within the window' },
  concurrent_sprite_limit_exceeded: { status: 429, description: 'too many sprites exist or run' },
  internal_error: { status: 500, description: 'the server failed; the request id finds the log line' },
  not_supported: { status: 501, description: 'this server does not offer this feature' },
  agent_unreachable: { status: 502, description: 'the program inside the sprite did not answer' },
  port_unreachable: { status: 502, description: 'nothing in the sprite answers on that port' },
  unavailable: { status: 503, description: 'the sprite or the server cannot answer at the moment; retry' },
  wake_failed: { status: 503, description: 'the sprite could not be started; the message says why' },
  wake_timeout: { status: 504, description: 'the sprite did not become ready within the time limit' },
  out_of_space: { status: 507, description: 'the host or the sprite has too little free disk space' },
} as const satisfies Record<string, { readonly status: number; readonly description: string }>;

export type ErrorCode = keyof typeof errorTable;

/** Optional machine-readable members of an error body, all of them integers or plain text. */
export type ErrorDetails = {
  readonly limit?: number;
  readonly window_seconds?: number;
  readonly retry_after_seconds?: number;
  readonly current_count?: number;
  readonly errors?: readonly string[];
  /** of the file API: the name of the system error, such as `ENOENT` */
  readonly code?: string;
};

/** An expected failure. The code picks the HTTP status; the message is shown to the user as it is. */
export class SpriteError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; details?: ErrorDetails } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SpriteError';
    this.code = code;
    this.details = options.details ?? {};
  }
}

/** The one JSON shape of an error answer. Spec section 2.1. */
export type ErrorBody = { readonly error: ErrorCode; readonly message: string } & ErrorDetails;

/** Turns anything thrown into a status and body; what is not a SpriteError becomes `internal_error` without its text. */
export function renderError(error: unknown): { readonly status: number; readonly body: ErrorBody } {
  if (error instanceof SpriteError) {
    return {
      status: errorTable[error.code].status,
      body: { error: error.code, message: error.message, ...error.details },
    };
  }
  return {
    status: errorTable.internal_error.status,
    body: { error: 'internal_error', message: 'internal error; quote the x-request-id of this answer' },
  };
}
