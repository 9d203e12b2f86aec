import type { Progress } from './progress.ts';

const stepsPerPackage = 3;
const guessedPackagesEach = 5;

const verbs: readonly (readonly [pattern: RegExp, text: string])[] = [
  [/^Get:\d+ \S+ \S+ \S+ ([a-z0-9][a-z0-9+.-]+) /, 'downloading'],
  [/^Unpacking (\S+)/, 'unpacking'],
  [/^Setting up (\S+)/, 'setting up'],
];

/**
 * Reads the lines of mmdebstrap and apt and reports how far they are. Each package is downloaded, unpacked and set
 * up; apt says twice how many there are, and until the second time the total is a guess, so the fraction only grows.
 */
export function createBootstrapMeter(packageCount: number, progress: Progress): (line: string) => void {
  let announced = 0;
  let announcements = 0;
  let done = 0;
  let fraction = 0;
  return (line) => {
    const count = /(\d+) newly installed/.exec(line)?.[1];
    if (count !== undefined) {
      announced += Number(count);
      announcements += 1;
    }
    const step = verbs.flatMap(([pattern, text]) => {
      const name = pattern.exec(line)?.[1];
      return name === undefined ? [] : [`${text} ${name.replace(/:\w+$/, '')}`];
    })[0];
    if (step === undefined) return;
    done += 1;
    const total = announcements < 2 ? announced + packageCount * guessedPackagesEach : announced;
    fraction = Math.max(fraction, Math.min(1, done / (total * stepsPerPackage)));
    progress(fraction, step);
  };
}
