import { findMirrors } from './apt-sources.ts';
import { bootstrap } from './bootstrap.ts';
import { runInChroot } from './chroot-script.ts';
import { type ExtraCa, trustScript } from './extra-ca.ts';
import { installNpmPackages } from './npm-packages.ts';
import { type Progress, partOf } from './progress.ts';
import type { Recipe } from './recipe.ts';

/** Builds the root file system of a recipe in `root`, which must not exist; `directory` is for scratch files. */
export async function buildRootfs(options: {
  readonly recipe: Recipe;
  readonly extraCa: ExtraCa | undefined;
  readonly root: string;
  readonly directory: string;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { recipe, extraCa, root, directory, progress, signal } = options;
  progress(0, `fetching the package lists of Debian ${recipe.suite}`);
  const mirrors = await findMirrors();
  await bootstrap({ recipe, mirrors, root, progress: partOf(progress, 0.02, 0.85), signal });
  if (recipe.npm.length > 0) progress(0.85, 'installing npm packages');
  await installNpmPackages({ root, packages: recipe.npm, cwd: directory, signal });
  progress(0.95, 'setting up');
  if (extraCa !== undefined) await runInChroot(root, trustScript(extraCa), signal);
  for (const script of recipe.scripts) await runInChroot(root, script, signal);
}
