import { describe, expect, it } from 'vitest';
import { layerProblems } from './layers.ts';

describe('the layers', () => {
  it('are kept: dependencies point one way and nothing reaches past an export map', async () => {
    expect(await layerProblems()).toEqual([]);
  });
});
