/** How every request about one sprite can fail. */
export const aboutSprite = ['unauthorized', 'sprite_not_found'] as const;
/** How every request that needs the machine of a sprite can fail. */
export const wakes = [
  ...aboutSprite,
  'wake_failed',
  'wake_timeout',
  'disk_damaged',
  'agent_unreachable',
] as const;
