import { describeStore } from '../conformance.ts';
import { MemoryStore } from './memory-store.ts';

describeStore('MemoryStore', async () => new MemoryStore());
