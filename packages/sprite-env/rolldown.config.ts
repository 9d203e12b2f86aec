import { fileURLToPath } from 'node:url';
import { defineConfig } from 'rolldown';

/** One file, for the Node that is in every sprite. It has no package.json beside it there, so it is CommonJS. */
export default defineConfig({
  cwd: fileURLToPath(new URL('.', import.meta.url)),
  input: 'src/main.ts',
  platform: 'node',
  external: [/^node:/],
  output: { file: 'dist/sprite-env.js', format: 'cjs', codeSplitting: false, minify: true },
});
