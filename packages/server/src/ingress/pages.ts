import { STATUS_CODES } from 'node:http';
import type { ErrorDetails } from '@sprites/contract';
import { fieldValue, type RequestHead } from './http1/head.ts';

/** What is said instead of a sprite's answer. */
export type Refusal = {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly details?: ErrorDetails;
  readonly headers?: Readonly<Record<string, string>>;
};

/** A whole answer of our own: a page for browsers, the API's error body for everybody else. */
export function writeRefusal(refusal: Refusal, head: RequestHead | undefined, isLast: boolean): string {
  const { status, headers = {} } = refusal;
  const wantsPage = head !== undefined && prefersHtml(head);
  const body = wantsPage
    ? page(refusal)
    : JSON.stringify({ error: refusal.code, message: refusal.message, ...refusal.details });
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    `Content-Type: ${wantsPage ? 'text/html; charset=utf-8' : 'application/json'}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    ...(wantsPage ? [pageSecurity] : []),
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(isLast ? ['Connection: close'] : []),
  ];
  return `${lines.join('\r\n')}\r\n\r\n${head?.method === 'HEAD' ? '' : body}`;
}

/** Pages of ours run no scripts and are shown in no frame. */
const pageSecurity =
  "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'";

export function prefersHtml(head: RequestHead): boolean {
  const accept = fieldValue(head.fields, 'accept') ?? '';
  const html = accept.indexOf('text/html');
  const json = accept.indexOf('application/json');
  return html >= 0 && (json < 0 || html < json);
}

/** Text in a page, with everything that could be markup made harmless. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** A page in the one style that all of ours have. */
export function htmlPage(title: string, content: string): string {
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto 0; padding: 0 1rem; color-scheme: light dark }
h1 { font-size: 1.3rem } code, input { font: inherit } input { width: 100%; box-sizing: border-box; padding: .5rem; margin: .5rem 0 }
button { font: inherit; padding: .4rem 1.2rem } p.small { opacity: .7; font-size: .9rem }
</style>
${content}
</html>
`;
}

function page({ status, code, message }: Refusal): string {
  const title = `${status} ${STATUS_CODES[status] ?? 'Error'}`;
  return htmlPage(
    title,
    `<h1>${escapeHtml(title)}</h1>\n<p>${escapeHtml(message)}</p>\n<p class="small">${escapeHtml(code)}</p>`,
  );
}
