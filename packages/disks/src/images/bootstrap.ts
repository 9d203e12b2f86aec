import { access, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SpriteError } from '@sprites/contract';
import { runTool, ToolError } from '@sprites/linux';
import { type Mirrors, toSourceLines, toSourcesFile } from './apt-sources.ts';
import { createBootstrapMeter } from './bootstrap-meter.ts';
import { runContained } from './contained.ts';
import type { Progress } from './progress.ts';
import type { Recipe } from './recipe.ts';

const keyrings = ['pgp', 'gpg'].map((suffix) => `/usr/share/keyrings/debian-archive-keyring.${suffix}`);

/**
 * What an image does without; packages installed later in a sprite bring theirs. The directories `man1` to `man9`
 * stay: packages fail to install that link into them.
 */
const leftOut = [
  '/usr/share/doc/*',
  '/usr/share/info/*',
  '/usr/share/locale/*',
  '/usr/share/man/man?/*',
  '/usr/share/man/[a-ln-z]*',
];

/** Lines of apt, dpkg and mmdebstrap that say why. */
const telling = /^(E: |Err:|dpkg: error|W: Failed|.*\berror: )/;

/** Installs the recipe's Debian packages into `root`, which must not exist. */
export async function bootstrap(options: {
  readonly recipe: Recipe;
  /** where packages come from; undefined leaves it to mmdebstrap, which knows Debian's own mirrors */
  readonly mirrors: Mirrors | undefined;
  readonly root: string;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { recipe, mirrors, root, progress, signal } = options;
  const aptOptions = await readHostAptOptions(signal);
  const dpkgOptions = [
    'force-unsafe-io',
    ...leftOut.map((path) => `path-exclude=${path}`),
    'path-include=/usr/share/doc/*/copyright',
  ];
  const meter = createBootstrapMeter(recipe.packages.length, progress);
  const reasons: string[] = [];
  await runContained(
    [
      'mmdebstrap',
      '--verbose',
      '--mode=root',
      '--format=directory',
      '--variant=minbase',
      `--keyring=${await findKeyring()}`,
      `--include=${recipe.packages.join(',')}`,
      ...aptOptions.map((option) => `--aptopt=${option}`),
      ...dpkgOptions.map((option) => `--dpkgopt=${option}`),
      recipe.suite,
      root,
      ...(mirrors === undefined ? [] : toSourceLines(mirrors, recipe.suite)),
    ],
    {
      signal,
      onLine: (line) => {
        meter(line);
        if (telling.test(line) && reasons.length < 10) reasons.push(line);
      },
    },
  ).catch((cause: unknown) => {
    if (!(cause instanceof ToolError)) throw cause;
    throw new Error(`installing the packages of image ${recipe.name} failed: ${reasons.join('; ')}`, {
      cause,
    });
  });
  if (mirrors === undefined) return;
  const sources = join(root, 'etc/apt/sources.list.d');
  await mkdir(sources, { recursive: true });
  await writeFile(join(sources, 'debian.sources'), toSourcesFile(mirrors, recipe.suite), { mode: 0o644 });
}

/** How the host's apt reaches the network: proxies, certificates, retries. They do not stay in the image. */
async function readHostAptOptions(signal: AbortSignal): Promise<readonly string[]> {
  const dump = await runTool(['apt-config', 'dump', '--no-empty'], { signal });
  return dump
    .split('\n')
    .filter((line) => /^Acquire::(https?|Retries|ForceIPv[46]|Send-URI-Encoded)\b.*;$/.test(line))
    .map((line) => line.slice(0, -1));
}

async function findKeyring(): Promise<string> {
  for (const file of keyrings) {
    const isThere = await access(file).then(
      () => true,
      () => false,
    );
    if (isThere) return file;
  }
  throw new SpriteError(
    'unavailable',
    'the keys of the Debian archive are missing; run `apt install debian-archive-keyring` and build again',
  );
}
