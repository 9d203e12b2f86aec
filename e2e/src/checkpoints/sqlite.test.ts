import { type Sprite, SpritesClient } from '@sprites/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testServer, uniqueName } from '../server.ts';
import { sh } from './tree.ts';

const { baseURL, token } = testServer();
const client = new SpritesClient(token, { baseURL });

const open = `import sqlite3, sys
db = sqlite3.connect('/home/sprite/data.db', isolation_level=None, timeout=30)
db.execute('pragma journal_mode = wal'); db.execute('pragma synchronous = full')
`;

/** Writes one transaction after the other and prints the number of each when it is committed; each also changes a sum. */
const writer = `${open}
db.execute('create table if not exists entries (n integer primary key, filling blob)')
db.execute('create table if not exists total (n integer)')
db.execute('insert into total select 0 where not exists (select 1 from total)')
n = db.execute('select coalesce(max(n), 0) from entries').fetchone()[0]
while True:
    n += 1
    db.execute('begin immediate')
    db.execute('insert into entries values (?, randomblob(3000))', (n,))
    db.execute('update total set n = n + 1')
    if n % 50 == 0: db.execute('delete from entries where n % 7 = 0 and n < ?', (n - 200,)); db.execute('update total set n = (select count(*) from entries)')
    db.execute('commit')
    print(n, flush=True)
`;

/** Prints what the database says of its own integrity, its largest number, and whether the sum is right. */
const check = `${open}
print(db.execute('pragma integrity_check').fetchone()[0])
print(db.execute('select max(n) from entries').fetchone()[0])
print(db.execute('select (select n from total) = (select count(*) from entries)').fetchone()[0])
`;

async function openedDatabase(sprite: Sprite): Promise<{ readonly text: string; readonly newest: number }> {
  const { stdout } = await sprite.execFile('python3', ['-c', check]);
  const [integrity, newest, sum] = stdout.trim().split('\n');
  return { text: `${integrity} ${sum}`, newest: Number(newest) };
}

describe('a database under write load (SQLite, WAL)', () => {
  let sprite: Sprite;

  beforeAll(async () => {
    sprite = await client.createSprite(uniqueName('sqlite'));
    await sh(sprite, 'python3 -c "import sqlite3"');
  });
  afterAll(async () => {
    await sprite?.delete();
  });

  it('opens clean from every checkpoint, with every transaction committed before it', async () => {
    const process = sprite.spawn('python3', ['-c', writer], { stdin: false });
    process.on('error', () => undefined);
    let said = '';
    process.stdout.on('data', (chunk) => {
      said += chunk;
    });
    const committed = (): number => Number(said.slice(0, said.lastIndexOf('\n')).split('\n').at(-1));
    await expect.poll(committed, { timeout: 20_000 }).toBeGreaterThan(200);

    const saved: { readonly id: string; readonly before: number; readonly after: number }[] = [];
    for (let i = 0; i < 6; i++) {
      const before = committed();
      const { id } = await sprite.checkpoint();
      saved.push({ id, before, after: committed() });
      await expect.poll(committed, { timeout: 20_000 }).toBeGreaterThan(before + 20);
    }
    const copy = await sprite.fork(uniqueName('sqlite-copy'));
    const last = committed();
    await sprite.restore('v1');
    await process.wait().catch(() => undefined);
    const undo = (await sprite.listCheckpoints({ includeAuto: true })).find(({ isAuto }) => isAuto)?.id ?? '';

    const forked = await openedDatabase(copy);
    expect(forked.text).toBe('ok 1');
    await copy.delete();
    for (const { id, before, after } of saved) {
      await sprite.restore(id);
      const { text, newest } = await openedDatabase(sprite);
      expect(text, id).toBe('ok 1');
      expect(newest, id).toBeGreaterThanOrEqual(before);
      // one may be committed whose number had not arrived when the checkpoint was answered
      expect(newest, id).toBeLessThanOrEqual(after + 50);
    }
    await sprite.restore(undo);
    expect(await openedDatabase(sprite)).toMatchObject({ text: 'ok 1' });
    expect((await openedDatabase(sprite)).newest).toBeGreaterThanOrEqual(last);
  }, 120_000);
});
