import { SpriteError } from '@sprites/contract/errors';
import type { Supervisor } from '../services/supervisor.ts';
import { sendJson } from './answer.ts';
import { notAllowed, notFound, type Resource } from './resource.ts';

/** Port that a sprite's URL leads to when no service has an HTTP port. Spec section 15. */
const usualPort = 8080;

/**
 * Where requests to the sprite's URL go, `/v1/ingress`; asking starts the service that has an HTTP port unless it runs. For
 * the server on the host only.
 */
export function createIngressResource(services: Supervisor): Resource {
  return {
    answer: async ({ response, method, path, origin }) => {
      if (origin !== 'host' || path.length > 0) throw notFound('ingress', path);
      if (method !== 'POST') throw notAllowed('ingress', method);
      sendJson(response, 200, await findRoute(services));
    },
  };
}

async function findRoute(
  services: Supervisor,
): Promise<{ readonly port: number; readonly service?: string }> {
  await services.load();
  for (const { name, http_port: port } of services.list()) {
    if (typeof port !== 'number') continue;
    if (!services.get(name).isUp) await start(services, name);
    return { port, service: name };
  }
  return { port: usualPort };
}

/** Somebody else's request may be starting it, or have removed it, just now; the server asks again when nobody listens. */
async function start(services: Supervisor, name: string): Promise<void> {
  try {
    await services.start(name);
  } catch (error) {
    if (!(error instanceof SpriteError)) throw error;
  }
}
