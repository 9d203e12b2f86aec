import { chmod, chown } from './change.ts';
import { checksum } from './checksum.ts';
import type { OperationContext } from './context.ts';
import { copy } from './copy.ts';
import { commitWrite, discardWrite } from './finish-write.ts';
import { list } from './list.ts';
import { openRead } from './open-read.ts';
import { openWrite } from './open-write.ts';
import { pack } from './pack.ts';
import { remove } from './remove.ts';
import { rename } from './rename.ts';
import { unpack } from './unpack.ts';
import { watch } from './watch.ts';

/** What the thread can be asked for, by name. An operation gives its answer piece by piece, as the asker takes them. */
export const operations = {
  list,
  pack,
  unpack,
  watch,
  checksum: once(checksum),
  openRead: once(openRead),
  openWrite: once(openWrite),
  commitWrite: once(commitWrite),
  discardWrite: once(discardWrite),
  remove: once(remove),
  rename: once(rename),
  copy: once(copy),
  chmod: once(chmod),
  chown: once(chown),
} as const;

/** An operation whose whole answer is one piece. */
function once<Input, Piece>(
  run: (input: Input, context: OperationContext) => Promise<Piece>,
): (input: Input, context: OperationContext) => AsyncGenerator<Piece, void, undefined> {
  return async function* (input, context) {
    yield await run(input, context);
  };
}
