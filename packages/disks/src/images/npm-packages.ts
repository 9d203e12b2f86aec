import { runTool } from '@sprites/linux';

/** Environment that `npm run` sets for scripts and that would send packages elsewhere. */
const misleading =
  /^npm_config_(global_prefix|local_prefix|prefix|global|omit|ignore_scripts|allow_scripts)$/i;

/**
 * Installs npm packages into `<root>/usr/local` with the host's npm and its settings. Install scripts never run:
 * they would run on the host.
 */
export async function installNpmPackages(options: {
  readonly root: string;
  readonly packages: readonly string[];
  readonly cwd: string;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { root, packages, cwd, signal } = options;
  if (packages.length === 0) return;
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !misleading.test(name)));
  const flags = [
    '--global',
    '--ignore-scripts',
    '--force',
    '--no-audit',
    '--no-fund',
    '--no-update-notifier',
  ];
  await runTool(['npm', 'install', ...flags, '--prefix', `${root}/usr/local`, ...packages], {
    cwd,
    env,
    signal,
  });
}
