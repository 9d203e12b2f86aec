import { CliError } from './cli-error.ts';
import { isJsonObject, textAt } from './config/json.ts';

const timeoutMs = 15_000;
const maxAnswerChars = 65_536;

/** What a server says about the organization of a token. */
export type Organization = { readonly slug: string; readonly name: string };

/** Asks the server whose token this is; fails with words a user understands when it is not valid there. */
export async function fetchOrganization(apiUrl: string, token: string): Promise<Organization> {
  const response = await fetch(`${apiUrl}/v1/organization`, {
    headers: { authorization: `Bearer ${token}`, accept: 'application/json' },
    signal: AbortSignal.timeout(timeoutMs),
    redirect: 'error',
  }).catch((cause: Error) => {
    const reason = cause.cause instanceof Error ? cause.cause.message || cause.cause.name : cause.message;
    throw new CliError(`cannot reach ${apiUrl}: ${reason}; is the server running and the URL right?`, {
      cause,
    });
  });
  const text = (await response.text()).slice(0, maxAnswerChars);
  if (response.status === 401) throw new CliError(`${apiUrl} does not accept this token`);
  const answer = parse(text);
  const slug = isJsonObject(answer) ? textAt(answer, 'slug') : undefined;
  if (!response.ok || !isJsonObject(answer) || slug === undefined) {
    throw new CliError(`${apiUrl} does not answer like a Sprites server (status ${response.status})`);
  }
  return { slug, name: textAt(answer, 'name') ?? slug };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // An HTML page of some other server, for example; the caller says so.
    return undefined;
  }
}
