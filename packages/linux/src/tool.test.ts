import { describe, expect, it } from 'vitest';
import { runTool, ToolError } from './tool.ts';

describe('runTool', () => {
  it('returns standard output and passes text in', async () => {
    expect(await runTool(['cat'], { input: 'hello' })).toBe('hello');
  });

  it('keeps the end of long output, and tells all lines', async () => {
    let lines = 0;
    const output = await runTool(['seq', '400000'], { onLine: () => lines++ });
    expect(lines).toBe(400_000);
    expect(output.length).toBe(1024 * 1024);
    expect(output.endsWith('\n400000\n')).toBe(true);
  });

  it('bounds lines that never end', async () => {
    const seen: string[] = [];
    await runTool(['head', '-c', '300000', '/dev/zero'], { onLine: (line) => seen.push(line) });
    expect(seen.join('').length).toBeLessThanOrEqual(4096);
  });

  it('fails with the status and the last words', async () => {
    const failing = runTool(['sh', '-c', 'echo first; echo wrong >&2; exit 3']);
    await expect(failing).rejects.toMatchObject({
      name: 'ToolError',
      exitCode: 3,
      message: 'sh ended with status 3: wrong',
    });
  });

  it('says that a program is missing', async () => {
    const missing = runTool(['no-such-program-here']);
    await expect(missing).rejects.toBeInstanceOf(ToolError);
    await expect(missing).rejects.toThrow('no-such-program-here could not run');
  });

  it('is ended by an abort', async () => {
    const controller = new AbortController();
    const running = runTool(['sleep', '60'], { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    await expect(runTool(['true'], { signal: controller.signal })).rejects.toThrow('enough');
  });
});
