/** Where the API of this sprite listens, unless `SPRITE_API_SOCKET` names another socket. */
export function readSocketPath(variables: NodeJS.ProcessEnv = process.env): string {
  return variables.SPRITE_API_SOCKET || '/.sprite/api.sock';
}
