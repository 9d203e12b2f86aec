import { z } from 'zod';

/**
 * Longest sprite name. The name and an eight-character org id with a hyphen form one DNS label of the
 * sprite's URL, and a label holds 63 characters (RFC 1035 section 2.3.4).
 */
export const maxSpriteNameLength = 54;

export const spriteNamePattern = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;

/** Name of a sprite: lower-case letters, digits and inner hyphens, 1 to 54 characters. */
export const SpriteName = z
  .string()
  .min(1, 'must not be empty')
  .max(maxSpriteNameLength, `must have at most ${maxSpriteNameLength} characters`)
  .regex(
    spriteNamePattern,
    'must consist of lower-case letters, digits and hyphens and begin and end with a letter or digit',
  )
  .meta({ description: 'Name of a sprite, unique in its organisation', example: 'demo' });
export type SpriteName = z.infer<typeof SpriteName>;

/** A label: 1 to 128 printable characters. */
export const Label = z
  .string()
  .min(1, 'must not be empty')
  .max(128, 'must have at most 128 characters')
  .regex(/^[^\p{Cc}]+$/u, 'must not contain control characters');

/** An environment variable's name, as POSIX has it, and a value without NUL. */
export const Environment = z
  .record(
    z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'names consist of letters, digits and underscores'),
    z
      .string()
      .refine((value) => !value.includes('\0'), 'must not contain NUL')
      .max(131_072, 'must have at most 131072 characters'),
  )
  .refine((variables) => JSON.stringify(variables).length <= 1_048_576, 'must take at most 1 MiB altogether')
  .meta({ description: 'Environment variables of every command in the sprite' });
