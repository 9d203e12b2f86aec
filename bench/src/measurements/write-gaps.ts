import { createInterface, type Interface } from 'node:readline';
import type { Sprite, SpriteCommand } from '@sprites/sdk';

/** Writes without a pause and remembers the longest wait; answers each line of input with it, in microseconds. */
const program = `
import os, select, sys, time
f = os.open('/home/sprite/beat', os.O_CREAT | os.O_WRONLY)
last, longest = time.monotonic_ns(), 0
while True:
    os.pwrite(f, b'x', 0)
    now = time.monotonic_ns()
    longest, last = max(longest, now - last), now
    if select.select([0], [], [], 0)[0]:
        if not os.read(0, 1): break
        print(longest // 1000, flush=True)
        last, longest = time.monotonic_ns(), 0
`;

/** A program in a sprite that notices how long writes are held up. */
export class WriteGaps implements AsyncDisposable {
  readonly #command: SpriteCommand;
  readonly #answers: AsyncIterator<string>;
  readonly #lines: Interface;

  constructor(sprite: Sprite) {
    this.#command = sprite.spawn('python3', ['-c', program]);
    this.#command.on('error', () => undefined);
    this.#lines = createInterface({ input: this.#command.stdout });
    this.#answers = this.#lines[Symbol.asyncIterator]();
  }

  /** The longest wait since the last call, in `ms`. */
  async longestMs(): Promise<number> {
    this.#command.stdin.write('?');
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error('the program that writes has ended');
    return Number(value) / 1000;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#lines.close();
    this.#command.kill('SIGKILL');
    await this.#command.wait().catch(() => undefined);
  }
}
