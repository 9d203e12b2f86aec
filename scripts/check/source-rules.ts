import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { listSources, root } from '../tree.ts';

type Rule = { readonly pattern: RegExp; readonly message: string };

const rules: readonly Rule[] = [
  { pattern: /\b(?:it|test|describe)\.(?:only|todo)\b/, message: 'a test must run, or not be there' },
  {
    pattern: /\b(?:TODO(?!\(#\d+\))|FIXME|XXX)\b/,
    message: 'unfinished work names its issue: `TODO(#12): …`',
  },
];

/** Every line of the sources that breaks a rule the linter does not know, as `file:line: what is wrong`. */
export async function sourceProblems(): Promise<readonly string[]> {
  const files = (await listSources(root)).filter(
    (file) => file.endsWith('.ts') && file !== import.meta.filename,
  );
  const found = await Promise.all(
    files.map(async (file) => linesBreaking(path.relative(root, file), await readFile(file, 'utf8'))),
  );
  return found.flat();
}

function linesBreaking(file: string, text: string): readonly string[] {
  return text
    .split('\n')
    .flatMap((line, index) =>
      rules
        .filter((rule) => rule.pattern.test(line))
        .map((rule) => `${file}:${index + 1}: ${rule.message}: ${line.trim().slice(0, 80)}`),
    );
}
