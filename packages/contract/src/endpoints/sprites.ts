import { defineEndpoint, type Endpoint } from '../endpoint.ts';
import { SleepBody } from '../lifecycle.ts';
import {
  CheckAnswer,
  CreateSprite,
  ListQuery,
  RestartAnswer,
  Sprite,
  SpriteList,
  UpdateSprite,
  UpgradeBody,
  WatchLine,
} from '../sprite.ts';
import { aboutSprite, wakes } from './error-codes.ts';

/** Sprites. Spec section 4. */
export const spritesEndpoints = {
  /** 4.2 */
  createSprite: defineEndpoint({
    id: 'createSprite',
    method: 'POST',
    path: '/v1/sprites',
    tag: 'sprites',
    summary: 'Create a sprite',
    description: 'The sprite is cold until its first use. It is durable when the answer arrives.',
    body: CreateSprite,
    answers: [{ type: 'json', status: 201, schema: Sprite }],
    errors: [
      'invalid_request',
      'unknown_image',
      'unauthorized',
      'sprite_already_exists',
      'concurrent_sprite_limit_exceeded',
      'sprite_creation_rate_limited',
      'unavailable',
      'out_of_space',
    ],
    authenticated: true,
  }),
  /** 4.3 and 4.4 */
  listSprites: defineEndpoint({
    id: 'listSprites',
    method: 'GET',
    path: '/v1/sprites',
    tag: 'sprites',
    summary: 'List sprites by name, or watch them',
    description:
      'With `Accept: application/x-ndjson` the answer is an open stream: a line per sprite, then a line per change.',
    query: ListQuery,
    answers: [
      { type: 'json', status: 200, schema: SpriteList },
      { type: 'ndjson', status: 200, line: WatchLine },
    ],
    errors: ['invalid_request', 'unauthorized'],
    authenticated: true,
  }),
  /** 4.5 */
  getSprite: defineEndpoint({
    id: 'getSprite',
    method: 'GET',
    path: '/v1/sprites/{name}',
    tag: 'sprites',
    summary: 'Get a sprite; never wakes it',
    answers: [{ type: 'json', status: 200, schema: Sprite }],
    errors: aboutSprite,
    authenticated: true,
    inside: true,
  }),
  /** 4.6 */
  updateSprite: defineEndpoint({
    id: 'updateSprite',
    method: 'PUT',
    path: '/v1/sprites/{name}',
    tag: 'sprites',
    summary: 'Change URL settings, labels or idle windows; what is left out stays',
    body: UpdateSprite,
    answers: [{ type: 'json', status: 200, schema: Sprite }],
    errors: ['invalid_request', ...aboutSprite],
    authenticated: true,
  }),
  /** 4.6, alias */
  patchSprite: defineEndpoint({
    id: 'patchSprite',
    method: 'PATCH',
    path: '/v1/sprites/{name}',
    tag: 'sprites',
    summary: 'The same as PUT',
    body: UpdateSprite,
    answers: [{ type: 'json', status: 200, schema: Sprite }],
    errors: ['invalid_request', ...aboutSprite],
    authenticated: true,
  }),
  /** 4.7 */
  deleteSprite: defineEndpoint({
    id: 'deleteSprite',
    method: 'DELETE',
    path: '/v1/sprites/{name}',
    tag: 'sprites',
    summary: 'Delete a sprite with everything in it',
    answers: [{ type: 'empty', status: 204 }],
    errors: aboutSprite,
    authenticated: true,
  }),
  /** 4.8 */
  upgradeSprite: defineEndpoint({
    id: 'upgradeSprite',
    method: 'POST',
    path: '/v1/sprites/{name}/upgrade',
    tag: 'sprites',
    summary: 'Move a sprite to the newest build of its image and the newest agent',
    description:
      'Files stay. When there is a newer build the disk is saved first, and the sprite started; if it does not come up with it, it gets its old image and disk back and the answer says why.',
    body: UpgradeBody,
    answers: [{ type: 'empty', status: 204 }],
    errors: ['invalid_request', 'unknown_image', 'operation_in_progress', 'out_of_space', ...wakes],
    authenticated: true,
  }),
  /** 4.9 */
  restartSprite: defineEndpoint({
    id: 'restartSprite',
    method: 'POST',
    path: '/v1/sprites/{name}/restart',
    tag: 'sprites',
    summary: 'Stop the machine of a sprite and start a new one',
    answers: [{ type: 'json', status: 202, schema: RestartAnswer }],
    errors: aboutSprite,
    authenticated: true,
  }),
  sleepSprite: defineEndpoint({
    id: 'sleepSprite',
    method: 'POST',
    path: '/v1/sprites/{name}/sleep',
    tag: 'sprites',
    summary: 'Put a sprite to sleep now, also a busy one',
    description:
      'Its connections are closed. Warm: its programs stand still in memory and go on at the next use. Cold: they end. A sprite that sleeps as deep already stays as it is.',
    body: SleepBody,
    answers: [{ type: 'json', status: 200, schema: Sprite }],
    errors: ['invalid_request', 'unavailable', ...aboutSprite],
    authenticated: true,
  }),
  wakeSprite: defineEndpoint({
    id: 'wakeSprite',
    method: 'POST',
    path: '/v1/sprites/{name}/wake',
    tag: 'sprites',
    summary: 'Wake a sprite and wait until it runs',
    answers: [{ type: 'json', status: 200, schema: Sprite }],
    errors: wakes,
    authenticated: true,
  }),
  /** 4.10 */
  checkSprite: defineEndpoint({
    id: 'checkSprite',
    method: 'GET',
    path: '/v1/sprites/{name}/check',
    tag: 'sprites',
    summary: 'Ask the program inside the sprite for its health; wakes the sprite',
    answers: [{ type: 'json', status: 200, schema: CheckAnswer }],
    errors: aboutSprite,
    authenticated: true,
  }),
} as const satisfies Record<string, Endpoint>;
