import manifest from '../package.json' with { type: 'json' };

/** Version of this server and of the agent it ships. */
export const version: string = manifest.version;
