/** No answer names more; it still counts all. */
const mostNamed = 1000;

/** Counts what an operation did, and keeps the first of it for the answer. */
export class Tally<T> {
  readonly first: T[] = [];
  count = 0;

  add(one: T): void {
    this.count++;
    if (this.first.length < mostNamed) this.first.push(one);
  }
}
