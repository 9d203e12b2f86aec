import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findLogin, saveLogin } from '@sprites/cli/config';
import { createToken, ensureOrg } from '@sprites/core';
import { openImages } from '@sprites/disks/images';
import { SpritesClient } from '@sprites/sdk';
import {
  addSettings,
  type Config,
  type RunningServer,
  readConfig,
  startServer,
  stopSignal,
  systemClock,
} from '@sprites/server';
import { Command } from 'commander';
import { ensurePackages, serverPackages } from './apt.ts';
import { build } from './build.ts';
import { runScript } from './program.ts';
import { showProgress } from './progress.ts';

const command = addSettings(new Command('up')).description(
  'install what is missing, build, make the base image and start the server in the foreground',
);

/** `npm run up`: everything from a fresh machine to a server with a sprite that answers. */
async function up(): Promise<void> {
  const flags = command.parse().opts();
  const config = readConfig({ flags, env: { SPRITES_LOG_LEVEL: 'warn', ...process.env } });
  await ensurePackages(serverPackages);
  await build();
  await ensureImage(config);
  const server = await startServer(config);
  console.log(`The server is ready at ${server.url} (data in ${config.dataDir}).`);
  const stopped = stopSignal();
  try {
    await welcome(config, server);
    await stopped;
  } finally {
    await close(server);
  }
}

/** Builds the image of new sprites from its recipe; an imported image only has to be there. */
async function ensureImage(config: Config): Promise<void> {
  const { dataDir, imagesDir, extraCa: extraCaFile } = config;
  const signal = new AbortController().signal;
  const library = await openImages({ dataDir, imagesDir, signal });
  if (!(await library.recipes()).includes(config.image)) {
    if ((await library.find(config.image)) !== undefined) return;
    throw new Error(
      `SPRITES_IMAGE=${config.image} is neither a recipe (minimal, standard, full) nor an installed image`,
    );
  }
  const hash = await library.recipeHash(config.image, extraCaFile);
  if ((await library.list()).some((image) => image.name === config.image && image.recipeHash === hash))
    return;
  console.log(
    `Building the base image ${config.image} from Debian packages; later starts take it from the data directory.`,
  );
  using progress = showProgress(`image ${config.image}`);
  await library.build(config.image, {
    extraCaFile,
    progress: (fraction, text) => progress.update(fraction ?? Number.NaN, text),
  });
}

async function welcome(config: Config, server: RunningServer): Promise<void> {
  const token = config.bootstrapToken ?? (await login(server));
  const client = new SpritesClient(token, { baseURL: server.url });
  const marker = join(config.dataDir, 'greeted');
  if (!(await exists(marker))) {
    await sayHello(client);
    await writeFile(marker, '');
  }
  const cli = 'npx sprite';
  console.log(`
  ${cli} console -s hello         a shell in the sprite "hello"
  ${cli} exec -s hello -- ls /    one command in it
  ${cli} create my-sprite         another sprite
  ${cli} --help                   everything else; Ctrl-C here stops the server
`);
}

/** The token of this server in `~/.sprites/sprites.json`; made and written there when there is none that works. */
async function login(server: RunningServer): Promise<string> {
  const known = await findLogin({ apiUrl: server.url, org: 'personal' });
  if (known !== undefined && (await works(server.url, known))) return known;
  const deps = { store: server.store, clock: systemClock };
  const token = await createToken(deps, await ensureOrg(deps, 'personal'), 'npm run up');
  await saveLogin({ apiUrl: server.url, token });
  console.log('Made a token of the organisation "personal" and wrote it to ~/.sprites/sprites.json.');
  return token;
}

async function works(url: string, token: string): Promise<boolean> {
  const answer = await fetch(`${url}/v1/organization`, { headers: { authorization: `Bearer ${token}` } });
  return answer.ok;
}

async function sayHello(client: SpritesClient): Promise<void> {
  const found = await client.listSprites({ prefix: 'hello' });
  if (!found.sprites.some((sprite) => sprite.name === 'hello')) await client.createSprite('hello');
  const { stdout } = await client.sprite('hello').execFile('uname', ['-a']);
  console.log(`Created the sprite "hello" and ran "uname -a" in it:\n  ${String(stdout).trim()}`);
}

async function close(server: RunningServer): Promise<void> {
  const running = await server.countRunning();
  await server.close();
  const left = running === 1 ? '1 sprite keeps' : `${running} sprites keep`;
  const advice = running === 0 ? '' : ` ${left} running; npx sprites-server down stops them.`;
  console.log(`The server has stopped.${advice}`);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

await runScript(up);
