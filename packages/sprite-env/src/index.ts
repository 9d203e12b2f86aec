import { fileURLToPath } from 'node:url';

function here(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url));
}

/** Files that lie beside the agent in every sprite, name and path of each; `npm run build` makes the first. */
export const insideFiles: ReadonlyMap<string, string> = new Map([
  ['sprite-env.js', here('../dist/sprite-env.js')],
  ['sprite-env', here('../files/sprite-env')],
  ['sprite-browser', here('../files/sprite-browser')],
  ['sprite-console', here('../files/sprite-console')],
  ['llm.txt', here('../files/llm.txt')],
]);
