import { defineConfig } from 'rolldown';

const shared = { input: 'src/index.ts', external: ['bufferutil', 'utf-8-validate'] };

/** One file for Node 20 and newer, one for browsers; neither needs anything beside it. */
export default defineConfig([
  { ...shared, platform: 'node', output: { file: 'dist/index.js', format: 'esm' } },
  { ...shared, platform: 'browser', output: { file: 'dist/browser.js', format: 'esm' } },
]);
