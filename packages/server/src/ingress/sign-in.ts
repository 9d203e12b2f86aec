import { endpoints, SpriteError } from '@sprites/contract';
import type { Store } from '@sprites/core';
import type { Context } from 'hono';
import { type App, type Env, serveOpen } from '../http/app.ts';
import { tokenOf } from './access.ts';
import { escapeHtml, htmlPage } from './pages.ts';
import type { Sites } from './sites.ts';
import type { TrustedProxies } from './trusted-proxies.ts';
import { addressOf } from './trusted-proxies.ts';
import type { UrlSessions } from './url-sessions.ts';

const mostFormBytes = 8192;

export type SignInDeps = {
  readonly store: Store;
  readonly sites: Sites;
  readonly sessions: UrlSessions;
  readonly trusted: TrustedProxies;
};

/** Where a browser shows a token, once, to open private sprites: on the API's own host, so that no sprite ever sees it. */
export function routeSignIn(app: App, deps: SignInDeps): void {
  app.get('/signin', (context) => {
    const { label, path } = wished(new URL(context.req.url).searchParams);
    return answer(context, 200, form(label, path, ''));
  });
  app.post('/signin', async (context) => {
    const length = Number(context.req.header('content-length') ?? Number.NaN);
    if (!(length <= mostFormBytes)) return answer(context, 413, form('', '/', 'That was too long.'));
    const fields = new URLSearchParams(await context.req.text());
    const { label, path } = wished(fields);
    const token = await tokenOf(deps.store, fields.get('token')?.trim() ?? '');
    if (token === undefined)
      return answer(context, 401, form(label, path, 'This token is not valid on this server.'));
    const code = deps.sessions.createCode({ label, token });
    const query = new URLSearchParams({ code, to: path });
    return context.redirect(`${spriteOrigin(context, deps, label)}/.sprites/session?${query}`, 303);
  });
}

/** Lets a proxy in front get certificates for hosts that exist, and for no others. */
export function routeTls(app: App, { sites, trusted }: Pick<SignInDeps, 'sites' | 'trusted'>): void {
  serveOpen(app, endpoints.askTls, async ({ context, query }) => {
    const address = addressOf(context.env.incoming.socket);
    const isHere = address === '::1' || address.startsWith('127.');
    if (!isHere && !trusted.includes(address))
      throw new SpriteError('forbidden', `${address} is no trusted proxy; see SPRITES_TRUST_PROXY`);
    const domain = query.domain.toLowerCase();
    const label = sites.labelOf(domain);
    const exists = label === undefined ? domain === sites.domain : (await sites.find(label)) !== undefined;
    if (!exists) throw new SpriteError('not_found', 'this host is none of this server');
    return context.json({ domain });
  });
}

/** What the browser wants to open; never anything but a path on a sprite's host. */
function wished(fields: URLSearchParams): { readonly label: string; readonly path: string } {
  const label = fields.get('sprite') ?? '';
  const path = fields.get('path') ?? '/';
  return {
    label: /^[a-z0-9-]{1,63}$/.test(label) ? label : '',
    path: /^\/(?![/\\])[\x21-\x7e]{0,2000}$/.test(path) ? path : '/',
  };
}

function spriteOrigin(context: Context<Env>, { sites, trusted }: SignInDeps, label: string): string {
  const { incoming } = context.env;
  const isTrusted = trusted.includes(addressOf(incoming.socket));
  const said = isTrusted ? context.req.header('x-forwarded-proto')?.toLowerCase() : undefined;
  const isEncrypted = 'encrypted' in incoming.socket && incoming.socket.encrypted === true;
  const proto = said === 'https' || (said !== 'http' && isEncrypted) ? 'https' : 'http';
  const port = /:\d{1,5}$/.exec(incoming.headers.host ?? '')?.[0] ?? '';
  return `${proto}://${label}.${sites.domain}${port}`;
}

function form(label: string, path: string, problem: string): string {
  const what = label === '' ? 'a sprite' : `<code>${escapeHtml(label)}</code>`;
  return htmlPage(
    'Sign in',
    `<h1>Open ${what}</h1>
<p>This sprite is private. Paste a token of its organisation; it is sent to this server only, never to the sprite.</p>
${problem === '' ? '' : `<p role="alert"><strong>${escapeHtml(problem)}</strong></p>`}
<form method="post" action="/signin">
<input type="hidden" name="sprite" value="${escapeHtml(label)}"><input type="hidden" name="path" value="${escapeHtml(path)}">
<label>Token <input name="token" type="password" autocomplete="current-password" required autofocus></label>
<button>Open</button>
</form>
<p class="small">The command line keeps yours in ~/.sprites/sprites.json.</p>`,
  );
}

function answer(context: Context<Env>, status: 200 | 401 | 413, page: string): Response {
  return context.html(page, status, {
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    // a form's answer leads to the sprite's host, which some browsers count as part of the form's action
    'content-security-policy':
      "default-src 'none'; style-src 'unsafe-inline'; form-action 'self' http: https:; frame-ancestors 'none'",
  });
}
