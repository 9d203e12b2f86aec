import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const connections = 64;
const seconds = 5;

/** What one run of wrk saw. */
export type Load = { readonly requestsPerS: number; readonly failures: number };

/** Asks for a URL over 64 keep-alive connections for five seconds. `host` is sent as the request's host. */
export async function loadWithWrk(url: string, host: string): Promise<Load> {
  const args = ['-t1', `-c${connections}`, `-d${seconds}`, '-H', `Host: ${host}`, url];
  const { stdout } = await promisify(execFile)('wrk', args);
  const number = (pattern: RegExp): number => Number(pattern.exec(stdout)?.[1] ?? 0);
  const socketErrors = [...(/Socket errors:(.*)/.exec(stdout)?.[1] ?? '').matchAll(/\d+/g)];
  return {
    requestsPerS: number(/Requests\/sec:\s*([\d.]+)/),
    failures:
      number(/Non-2xx or 3xx responses: (\d+)/) + socketErrors.reduce((sum, [n]) => sum + Number(n), 0),
  };
}
