import { constants } from 'node:os';

/** Signals of this process that are passed to a command in the sprite. */
const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;

export type ForwardedSignal = (typeof forwarded)[number];

/** The exit code of a process that a signal ended. */
export function signalExitCode(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

/** Hears signals instead of dying of them, until the returned function is called. */
export function onSignals(handler: (signal: ForwardedSignal) => void): () => void {
  for (const signal of forwarded) process.on(signal, handler);
  return () => {
    for (const signal of forwarded) process.off(signal, handler);
  };
}
