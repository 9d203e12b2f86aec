import { access, chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundlePath } from '@sprites/agent';
import { SpriteError } from '@sprites/contract';
import { type ConfigSources, listGiven, readConfig, secretVariables } from '../config/config.ts';
import { maskSecrets, mergeEnvironmentFile, readVariable } from '../service/environment-file.ts';
import { isSystemdRunning, systemctl } from '../service/systemctl.ts';
import { renderUnit } from '../service/unit.ts';

export type ServiceOptions = {
  /** name of the unit, for hosts with several servers */
  readonly name: string;
  /** where the root of the system is that the unit is for */
  readonly root: string;
};

type Files = { readonly unitName: string; readonly unit: string; readonly environment: string };

const program = fileURLToPath(new URL('../../bin/sprites-server.sh', import.meta.url));

/** Writes unit and settings file, and starts the service unless they are for another system than this one. */
export async function installService(sources: ConfigSources, options: ServiceOptions): Promise<void> {
  const { unit, environment } = await render(sources, options);
  await refuseWithoutSystemd(options);
  if (!(await exists(bundlePath))) {
    throw new SpriteError(
      'not_supported',
      'the program for sprites is not built yet; run npm run up or npm run build once',
    );
  }
  const files = filesOf(options);
  await replaceFile(files.environment, environment, 0o600);
  await replaceFile(files.unit, unit, 0o644);
  say(`wrote ${files.unit} and ${files.environment}`);
  if (options.root !== '/') return;
  await systemctl(['daemon-reload']);
  await systemctl(['enable', files.unitName]);
  // an older server of the same name takes the new settings; the sprites go on running
  await systemctl(['restart', files.unitName]);
  say(`${files.unitName} runs and starts with the host; its log: journalctl -u ${files.unitName}`);
}

/** Shows what an installation would write; secrets are left out. */
export async function printService(sources: ConfigSources, options: ServiceOptions): Promise<void> {
  const { unit, environment } = await render(sources, options);
  const files = filesOf(options);
  say(
    `# ${files.unit}\n${unit}\n# ${files.environment} (mode 0600)\n${maskSecrets(environment, secretVariables)}`,
  );
}

/** Stops the server and removes its unit; settings, data and running sprites stay. */
export async function uninstallService(options: ServiceOptions): Promise<void> {
  const files = filesOf(options);
  if (!(await exists(files.unit))) throw new SpriteError('not_found', `there is no unit ${files.unit}`);
  await refuseWithoutSystemd(options);
  if (options.root === '/') await systemctl(['disable', '--now', files.unitName]);
  await rm(files.unit);
  if (options.root === '/') await systemctl(['daemon-reload']);
  say(`removed ${files.unit}; ${files.environment}, the data and running sprites stay`);
  say('sprites-server down stops the sprites');
}

/** Says whether the service is installed and runs; resolves to the exit code: 0 when it runs, else 3. */
export async function describeService(options: ServiceOptions): Promise<number> {
  const files = filesOf(options);
  const isInstalled = await exists(files.unit);
  say(isInstalled ? `installed: ${files.unit}` : `not installed: there is no ${files.unit}`);
  if (!isInstalled) return 3;
  if (options.root !== '/' || !(await isSystemdRunning())) {
    say('systemd does not run there');
    return 3;
  }
  const [enabled, active] = [
    await systemctl(['is-enabled', files.unitName], { mayFail: true }),
    await systemctl(['is-active', files.unitName], { mayFail: true }),
  ];
  say(`starts with the host: ${enabled}\nstate: ${active}`);
  return active === 'active' ? 0 : 3;
}

function filesOf({ name, root }: ServiceOptions): Files {
  const unitName = `${name}.service`;
  return {
    unitName,
    unit: join(root, 'etc/systemd/system', unitName),
    environment: join(root, environmentPath(name)),
  };
}

/** Where the service finds its settings, on the system that it runs on. */
function environmentPath(name: string): string {
  return `/etc/sprites/${name}.env`;
}

async function render(
  sources: ConfigSources,
  options: ServiceOptions,
): Promise<{ readonly unit: string; readonly environment: string }> {
  const config = readConfig(sources);
  const present = await readFile(filesOf(options).environment, 'utf8').catch(() => undefined);
  const environment = mergeEnvironmentFile(present, listGiven(sources));
  const dataDir = readVariable(environment, 'SPRITES_DATA_DIR') ?? config.dataDir;
  return {
    unit: renderUnit({ program, dataDir, environmentFile: environmentPath(options.name) }),
    environment,
  };
}

async function refuseWithoutSystemd({ root }: ServiceOptions): Promise<void> {
  if (root !== '/' || (await isSystemdRunning())) return;
  throw new SpriteError(
    'not_supported',
    'systemd does not run on this host; use --print to see the unit, --root <dir> to write it for another system, or start ' +
      'sprites-server by the means of this one',
  );
}

/** Never readable by others, not for a moment, when it must not be. */
async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.new`;
  await rm(draft, { force: true });
  await writeFile(draft, text, { mode, flag: 'wx' });
  await chmod(draft, mode);
  await rename(draft, path);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
