import { runTool, type ToolOptions } from '@sprites/linux';

/**
 * Runs a program in a process and mount namespace of its own, so that nothing of it, neither a process nor a mount,
 * outlives it, an abort, or the death of this server.
 */
export async function runContained(argv: readonly string[], options: ToolOptions): Promise<string> {
  const unshare = ['unshare', '--fork', '--pid', '--kill-child', '--mount', '--mount-proc'] as const;
  return runTool(['setpriv', '--pdeathsig', 'KILL', ...unshare, ...argv], options);
}
