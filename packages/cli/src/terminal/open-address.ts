import { spawn } from 'node:child_process';
import { isIP } from 'node:net';

const longestAddress = 2048;
const betweenMs = 3000;

/** Opens addresses that a sprite asks for in the browser of whoever runs `sprite`. */
export class BrowserOpener {
  readonly #launch: (address: string) => void;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(launch: (address: string) => void = launchBrowser) {
    this.#launch = launch;
  }

  /**
   * Opens the address and says whether it did. A sprite is not trusted: only web addresses outside this computer and its
   * own network are opened, and one every few seconds at most.
   */
  open(text: string, nowMs: number): boolean {
    const address = toSafeAddress(text);
    if (address === undefined || nowMs - this.#lastMs < betweenMs) return false;
    this.#lastMs = nowMs;
    this.#launch(address);
    return true;
  }
}

/** The address in its normal form; undefined for one that a sprite must not have opened. */
export function toSafeAddress(text: string): string | undefined {
  if (text.length > longestAddress || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined;
  if (url.username !== '' || url.password !== '' || isLocal(url.hostname)) return undefined;
  return url.href;
}

/** What is here, or near, may trust whoever comes from here. Names below `localhost` are those of sprites. */
function isLocal(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  if (host === 'localhost') return true;
  if (isIP(host) === 4) {
    return /^(?:0|10|127|169\.254|192\.168|172\.(?:1[6-9]|2\d|3[01])|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\./.test(
      host,
    );
  }
  return isIP(host) === 6 && !/^[23]/.test(host);
}

function launchBrowser(address: string): void {
  const [file, ...args] = launcher();
  const child = spawn(file, [...args, address], { stdio: 'ignore', detached: true });
  // Without a browser the address is on the screen all the same: programs print it, too.
  child.on('error', () => undefined);
  child.unref();
}

function launcher(): readonly [string, ...string[]] {
  if (process.platform === 'darwin') return ['open'];
  if (process.platform === 'win32') return ['rundll32', 'url.dll,FileProtocolHandler'];
  return ['xdg-open'];
}
