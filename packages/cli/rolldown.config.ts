import { defineConfig } from 'rolldown';

/** One file for Node 20 and newer; parts that are imported on demand are evaluated on demand. */
export default defineConfig({
  input: 'src/main.ts',
  platform: 'node',
  transform: { target: 'node20' },
  output: { file: 'dist/sprite.js', format: 'esm', codeSplitting: false, minify: true },
});
