/** Version of this command line; the same as the server's of the same release. */
export const version = '0.1.0';
