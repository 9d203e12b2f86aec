/** Told how far a long operation is: a fraction of 1, or undefined where it cannot be known, and what it does. */
export type Progress = (fraction: number | undefined, text: string) => void;

/** Maps an operation's own progress to a part of a larger one. */
export function partOf(progress: Progress, from: number, to: number): Progress {
  return (fraction, text) => progress(from + (to - from) * Math.min(1, Math.max(0, fraction ?? 0)), text);
}
