import { describe, expect, it } from 'vitest';
import { importsOf } from './imports.ts';

describe('importsOf', () => {
  it('finds every way to import', () => {
    const source = [
      `import fs from 'node:fs';`,
      `import type {\n  A,\n  B,\n} from '@sprites/core';`,
      `export * from './a.ts';`,
      `import './effect.ts';`,
      `const later = await import('./later.ts');`,
    ].join('\n');
    expect(importsOf(source)).toEqual(['node:fs', '@sprites/core', './a.ts', './effect.ts', './later.ts']);
  });

  it('takes no word of a string or a comment for an import', () => {
    expect(importsOf(`// import what you need from here\nconst text = "import x from 'y'";`)).toEqual([]);
  });
});
