import { SpriteError } from '@sprites/contract';
import type { Tree } from './tree.ts';

const name = 'sprite';
const id = '1000';
const home = 'home/sprite';
const shells = ['bin/bash', 'usr/bin/bash', 'bin/sh', 'usr/bin/sh'];

/**
 * Makes sure of user `sprite` with id 1000, a home and sudo without a password (where there is sudo). A user who has
 * that id already is renamed: files keep their owner.
 */
export async function addSpriteUser(tree: Tree): Promise<void> {
  const passwd = await tree.read('etc/passwd');
  if (passwd === undefined) {
    throw new SpriteError(
      'invalid_request',
      'the archive has no /etc/passwd; it must hold a Linux root file system',
    );
  }
  const shell = await findShell(tree);
  const users = parseTable(passwd);
  const oldName = users.find((user) => user[2] === id)?.[0];
  const groups = parseTable((await tree.read('etc/group')) ?? '');
  const oldGroup = groups.find((group) => group[2] === id)?.[0];
  refuseTaken(users, 'user');
  refuseTaken(groups, 'group');
  const user = [name, 'x', id, id, 'Sprite', `/${home}`, shell];
  await tree.write('etc/passwd', toText(replace(users, oldName, user)));
  await tree.write('etc/group', toText(addToSudo(replace(groups, oldGroup, [name, 'x', id, '']), oldName)));
  await replaceIn(tree, 'etc/shadow', oldName, [name, '*', '20000', '0', '99999', '7', '', '', '']);
  await replaceIn(tree, 'etc/gshadow', oldGroup, [name, '!', '', '']);
  await tree.makeDirectory('home');
  await tree.makeDirectory(home, { owner: Number(id) });
  if (await tree.hasDirectory('etc/sudoers.d')) {
    await tree.write('etc/sudoers.d/90-sprite', 'sprite ALL=(ALL:ALL) NOPASSWD: ALL\n', 0o440);
  }
}

type Table = readonly (readonly string[])[];

function parseTable(text: string): Table {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(':'));
}

function toText(table: Table): string {
  return table.map((row) => `${row.join(':')}\n`).join('');
}

/** The row of `oldName` or `sprite` is replaced where it stands; else the row is added. */
function replace(table: Table, oldName: string | undefined, row: readonly string[]): Table {
  const at = table.findIndex((each) => each[0] === (oldName ?? name));
  if (at === -1) return [...table, row];
  return table.map((each, position) => (position === at ? row : each));
}

async function replaceIn(
  tree: Tree,
  file: string,
  oldName: string | undefined,
  row: readonly string[],
): Promise<void> {
  const text = await tree.read(file);
  if (text === undefined) return;
  await tree.write(file, toText(replace(parseTable(text), oldName, row)));
}

/** In groups of members, `sprite` takes the place of the user it replaces, and is put into group sudo. */
function addToSudo(groups: Table, oldName: string | undefined): Table {
  return groups.map((group) => {
    const members = (group[3] ?? '').split(',').filter((member) => member !== '' && member !== name);
    const isMember = group[0] === 'sudo' || group[0] === 'wheel' || members.includes(oldName ?? name);
    const others = members.filter((member) => member !== oldName);
    return [...group.slice(0, 3), [...others, ...(isMember ? [name] : [])].join(',')];
  });
}

function refuseTaken(table: Table, kind: 'user' | 'group'): void {
  const taken = table.find((row) => row[0] === name && row[2] !== id);
  if (taken === undefined) return;
  throw new SpriteError(
    'invalid_request',
    `the image has a ${kind} sprite with id ${taken[2]}; it must be ${id}, or not be there`,
  );
}

async function findShell(tree: Tree): Promise<string> {
  for (const shell of shells) if (await tree.has(shell)) return `/${shell}`;
  throw new SpriteError('invalid_request', 'the image has no /bin/sh; it must hold a Linux root file system');
}
