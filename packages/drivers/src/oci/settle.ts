/** Like `Promise.all`, but fails only when all have ended, so that nobody cleans up after work still going on. */
export async function settleAll(...work: readonly Promise<unknown>[]): Promise<void> {
  await Promise.allSettled(work);
  await Promise.all(work);
}
