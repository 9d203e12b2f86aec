import { fileURLToPath } from 'node:url';

/** Options the agent's Node must be started with, before the path of the bundle. */
export const nodeFlags: readonly string[] = [
  '--experimental-ffi',
  '--disable-warning=ExperimentalWarning',
  // SIGUSR1 from a program of the sprite must not open a debugger.
  '--disable-sigusr1',
  // The agent gives memory back when no session is left.
  '--expose-gc',
  // Less memory, and fewer threads to start; the collector has little to do.
  '--max-semi-space-size=1',
  '--v8-pool-size=0',
];

/** The agent as one file without dependencies, made by `npm run build`. It runs on the Node of this package's lock. */
export const bundlePath: string = fileURLToPath(new URL('../dist/agent.js', import.meta.url));
