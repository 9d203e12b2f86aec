import { fileURLToPath } from 'node:url';

/** Options the agent's Node must be started with, before the path of the bundle. */
export const nodeFlags: readonly string[] = [
  '--experimental-ffi',
  '--disable-warning=ExperimentalWarning',
  // SIGUSR1 from a program of the sprite must not open a debugger.
  '--disable-sigusr1',
  '--max-semi-space-size=1',
];

/** The agent as one file without dependencies, made by `npm run build`. It runs on the Node of this package's lock. */
export const bundlePath: string = fileURLToPath(new URL('../dist/agent.js', import.meta.url));
