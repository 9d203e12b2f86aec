import { chmodSync, chownSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import type { User } from '../kernel/user.ts';

/**
 * Lets programs inside reach the agent at a socket that root and the sprite's own user may open. A sprite where it
 * cannot be made lacks it and works all the same.
 */
export function listenInside(server: Server, path: string, user: User): void {
  server.on('error', (error) => console.error('no in-sprite socket:', error));
  try {
    rmSync(path, { force: true });
  } catch (error) {
    console.error('no in-sprite socket:', error);
    return;
  }
  server.listen({ path }, () => {
    try {
      chownSync(path, 0, user.gid);
      chmodSync(path, 0o660);
    } catch (error) {
      // as an ordinary user, in tests, there is nobody else to let in
      console.error('the in-sprite socket is for this account only:', error);
    }
  });
}
