import { closeSync, openSync, writeSync } from 'node:fs';

const file = '/proc/self/oom_score_adj';
const programScore = '500';
const agentScore = '0';

/**
 * Runs `start`, a spawn, so that the program is born with a score that lets the kernel end it, and not the
 * agent, when memory runs out. Set before the start: a fork bomb's first child has it, too.
 */
export function withProgramOomScore<T>(start: () => T): T {
  const fd = openScore();
  if (fd === undefined) return start();
  try {
    writeScore(fd, programScore);
    return start();
  } finally {
    writeScore(fd, agentScore);
    closeSync(fd);
  }
}

function openScore(): number | undefined {
  try {
    return openSync(file, 'r+');
  } catch {
    // Without /proc there is no score to set; the command runs all the same.
    return undefined;
  }
}

function writeScore(fd: number, score: string): void {
  try {
    writeSync(fd, score, 0);
  } catch {
    // The kernel may forbid lowering the score; then agent and programs keep what they have.
  }
}
