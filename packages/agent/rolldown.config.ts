import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'rolldown';

/** Without it Node takes the bundle for a module, since this package is one. */
const declareCommonJs: Plugin = {
  name: 'declare-common-js',
  generateBundle() {
    this.emitFile({ type: 'asset', fileName: 'package.json', source: '{"type":"commonjs"}\n' });
  },
};

/**
 * CommonJS, because Node starts it without its module loader, some milliseconds sooner; minified, because each sprite
 * has its text in memory.
 */
export default defineConfig({
  cwd: fileURLToPath(new URL('.', import.meta.url)),
  input: 'src/main.ts',
  platform: 'node',
  external: [/^node:/],
  plugins: [declareCommonJs],
  output: { dir: 'dist', entryFileNames: 'agent.js', format: 'cjs', minify: true },
});
