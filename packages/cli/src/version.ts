import manifest from '../package.json' with { type: 'json' };

/** Version of this command line; the same as the server's of the same release. */
export const version: string = manifest.version;
