import { fileURLToPath } from 'node:url';
import { defineConfig } from 'rolldown';

/** CommonJS, because Node starts it without its module loader, some milliseconds sooner. */
export default defineConfig({
  cwd: fileURLToPath(new URL('.', import.meta.url)),
  input: 'src/main.ts',
  platform: 'node',
  external: [/^node:/],
  output: { file: 'dist/agent.js', format: 'cjs', minify: false },
});
