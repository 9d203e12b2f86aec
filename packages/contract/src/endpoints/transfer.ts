import { z } from 'zod';
import { defineEndpoint, type Endpoint } from '../endpoint.ts';
import { SpriteName } from '../names.ts';
import { Sprite } from '../sprite.ts';
import { aboutSprite } from './error-codes.ts';

const archiveType = 'application/zstd';

/** Sprites on their way to another server. The format is described in docs/export-format.md. */
export const transferEndpoints = {
  exportSprite: defineEndpoint({
    id: 'exportSprite',
    method: 'GET',
    path: '/v1/sprites/{name}/export',
    tag: 'sprites',
    summary: 'Get a sprite with its files, checkpoints and settings as one file; never wakes it',
    description:
      'A running sprite goes on; what is exported is a copy of the moment of the request. An archive that is whole ends with its member `end.json`.',
    answers: [{ type: 'bytes', status: 200, contentType: archiveType }],
    errors: ['operation_in_progress', 'checkpoint_damaged', 'unavailable', 'out_of_space', ...aboutSprite],
    authenticated: true,
  }),
  importSprite: defineEndpoint({
    id: 'importSprite',
    method: 'POST',
    path: '/v1/sprites/import',
    tag: 'sprites',
    summary: 'Make a sprite from an export, which is the body',
    description:
      'The sprite is durable when the answer arrives; when the import fails or is cut, nothing is left. It is cold and, like a fork, has an identity of its own.',
    query: z.object({
      name: SpriteName.optional().meta({
        description: 'Name of the sprite; default is its name in the export',
      }),
      image: z
        .string()
        .min(1)
        .max(200)
        .optional()
        .meta({ description: 'Image to use although the sprite was exported with another' }),
    }),
    upload: archiveType,
    answers: [{ type: 'json', status: 201, schema: Sprite }],
    errors: [
      'invalid_request',
      'invalid_policy',
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
} as const satisfies Record<string, Endpoint>;
