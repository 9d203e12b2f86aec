import type { GuestMessage } from '@sprites/contract/link';
import type { ActivityBoard } from '../link/activity.ts';
import { sendJson } from './answer.ts';
import { notAllowed, notFound, type Resource } from './resource.ts';

/** What the server asks before it puts the sprite to sleep, `/v1/activity`: the same as the agent tells over the link. */
export function createActivityResource(board: ActivityBoard): Resource {
  return {
    answer: ({ response, method, path, origin }) => {
      if (origin !== 'host' || path.length > 0) throw notFound('activity', path);
      if (method !== 'GET') throw notAllowed('activity', method);
      const message: GuestMessage = { type: 'activity', activity: board.read() };
      sendJson(response, 200, message);
    },
  };
}
