/** A live session as the session list shows it. Spec section 6.1. */
export type SessionEntry = {
  readonly id: string;
  readonly command: string;
  readonly workdir: string;
  /** RFC 3339 */
  readonly created: string;
  /** output and input per second, averaged over about ten seconds */
  readonly bytes_per_second: number;
  /** whether a client is connected or data flowed within the last 30 s */
  readonly is_active: boolean;
  readonly last_activity: string;
  readonly tty: boolean;
};

/** The answer to `GET /exec`. */
export type SessionList = { readonly sessions: readonly SessionEntry[]; readonly count: number };
