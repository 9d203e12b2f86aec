import { runTool, ToolError, type ToolOptions } from '@sprites/linux';

/**
 * Runs a program in a process and mount namespace of its own, so that nothing of it, neither a process nor a mount,
 * outlives it, an abort, or the death of this server.
 */
export async function runContained(argv: readonly string[], options: ToolOptions): Promise<string> {
  const unshare = ['unshare', '--fork', '--pid', '--kill-child', '--mount', '--mount-proc'] as const;
  try {
    return await runTool(['setpriv', '--pdeathsig', 'KILL', ...unshare, ...argv], options);
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    throw new ToolError(argv[0] ?? 'setpriv', error.exitCode, error.tail, error);
  }
}
