#!/usr/bin/env node
import Module from 'node:module';
import { homedir } from 'node:os';
import path from 'node:path';

// Plain JavaScript on purpose: it must say what is missing on any Node, before anything was built.
const [major] = process.versions.node.split('.');
if (Number(major) < 20) {
  console.error(`sprite: needs Node 20 or newer, this is ${process.versions.node}`);
  process.exit(1);
}
// Node 22 and newer keep compiled code on disk, which halves the start. The default place, a directory in /tmp that
// anybody could make first, is not for code.
Module.enableCompileCache?.(path.join(homedir(), '.cache', 'sprites-cli'));
try {
  await import('../dist/sprite.js');
} catch (error) {
  if (error?.code !== 'ERR_MODULE_NOT_FOUND') throw error;
  console.error('sprite: not built yet; run `npm run build` in the directory it came from');
  process.exit(1);
}
