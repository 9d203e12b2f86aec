import { parentPort, workerData } from 'node:worker_threads';
import type { PathChange } from '@sprites/contract';
import { SpriteError } from '@sprites/contract/errors';
import { compareTrees } from './compare-trees.ts';
import { LayeredTree } from './layered-tree.ts';
import { type Message, mostWaiting, type Task } from './worker-messages.ts';

/** so that lines flow early, and a message stays small */
const mostChanges = 256;
const mostCharacters = 64 * 1024;

// started by `TreeWorker` with exactly this
const waiting = new Int32Array(workerData as SharedArrayBuffer);

/** Stands still while the reader has enough to read. */
function send(message: Message): void {
  for (let count = Atomics.load(waiting, 0); count >= mostWaiting; count = Atomics.load(waiting, 0)) {
    Atomics.wait(waiting, 0, count);
  }
  Atomics.add(waiting, 0, 1);
  parentPort?.postMessage(message);
}

function compare(task: Task, before: LayeredTree, after: LayeredTree): void {
  let changes: PathChange[] = [];
  let characters = 0;
  const flush = (): void => {
    if (changes.length > 0) send({ type: 'changes', changes });
    changes = [];
    characters = 0;
  };
  const emit = (change: PathChange): void => {
    changes.push(change);
    characters += change.path.length;
    if (changes.length >= mostChanges || characters >= mostCharacters) flush();
  };
  compareTrees({ ...task, before, after, emit });
  flush();
}

async function patch(task: Task, before: LayeredTree, after: LayeredTree): Promise<void> {
  // only loaded when it is needed
  const { patchFile } = await import('./patch-file.ts');
  const text = patchFile(before, after, task.path);
  for (let at = 0; at < text.length; at += mostCharacters) {
    send({ type: 'text', text: text.slice(at, at + mostCharacters) });
  }
}

async function run(task: Task): Promise<void> {
  try {
    const [before, after] = [new LayeredTree(task.before), new LayeredTree(task.after)];
    if (task.kind === 'compare') compare(task, before, after);
    else await patch(task, before, after);
    send({ type: 'done' });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    send({ type: 'failed', code: error instanceof SpriteError ? error.code : undefined, message });
  }
}

parentPort?.on('message', run);
