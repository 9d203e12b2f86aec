import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, constants, readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { repairGracePeriods } from './rcu.ts';

const setting = '/sys/kernel/rcu_expedited';
const isSettable = await access(setting, constants.W_OK).then(
  () => true,
  () => false,
);
const isOn = async (): Promise<boolean> => (await readFile(setting, 'utf8')).trim() === '1';

it.skipIf(!isSettable)('puts back what a process left that was killed in the middle', async () => {
  const program = `
    import { withQuickGracePeriods } from ${JSON.stringify(new URL('./rcu.ts', import.meta.url).href)};
    await withQuickGracePeriods(async () => { console.log('on'); await new Promise(() => setInterval(() => {}, 1000)); });
  `;
  const held = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(held.stdout, 'data');
  expect(await isOn()).toBe(true);
  held.kill('SIGKILL');
  await once(held, 'exit');
  await repairGracePeriods();
  // other tests may have it on for a moment
  await expect.poll(isOn).toBe(false);
});
