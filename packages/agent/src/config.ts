import { readFileSync, statSync } from 'node:fs';
import { SpriteError } from '@sprites/contract/errors';

/** The agent's own version, told to clients when the machine does not say another. */
export const agentVersion = '0.1.0';

/** What the agent is started with. Every option has a default that is right inside a sprite. */
export type AgentConfig = {
  /** where to listen: a descriptor that listens already, or the path of a socket to make */
  readonly listen: { readonly fd: number } | { readonly path: string };
  /** account that commands run as; without it in the sprite, they run as the agent's own */
  readonly user: string;
  /** file with the machine's facts; may be missing */
  readonly machineFile: string;
  /** root-only directory for the output of live sessions */
  readonly sessionDir: string;
  /** output kept per session for clients that attach later, in bytes */
  readonly sessionLogBytes: number;
  /** root-only directory for programs' socket and what they can read of their sprite */
  readonly insideDir: string;
  /** directory of the services' definitions, on the sprite's disk */
  readonly servicesDir: string;
  /** directory of logs, on the sprite's disk */
  readonly logDir: string;
  /** path of the socket for programs inside */
  readonly apiSocket: string;
  /** how long the thread for files is kept without work, in `ms` */
  readonly fileIdleMs: number;
};

const smallestLogBytes = 1024 * 1024;

const optionReaders: Readonly<Record<string, (value: string) => Partial<AgentConfig>>> = {
  '--listen-fd': (value) => ({ listen: { fd: toNumber('--listen-fd', value, 3) } }),
  '--listen': (value) => ({ listen: { path: value } }),
  '--user': (value) => ({ user: value }),
  '--machine-file': (value) => ({ machineFile: value }),
  '--session-dir': (value) => ({ sessionDir: value }),
  '--services-dir': (value) => ({ servicesDir: value }),
  '--log-dir': (value) => ({ logDir: value }),
  '--inside-dir': (value) => ({ insideDir: value }),
  '--api-socket': (value) => ({ apiSocket: value }),
  '--session-log-bytes': (value) => ({
    sessionLogBytes: toNumber('--session-log-bytes', value, smallestLogBytes),
  }),
  '--file-idle-ms': (value) => ({ fileIdleMs: toNumber('--file-idle-ms', value, 1) }),
};

/** Reads the command line, `--name value` pairs. Throws `invalid_request` for what it does not know. */
export function parseConfig(args: readonly string[]): AgentConfig {
  let config: AgentConfig = {
    listen: { fd: 3 },
    user: 'sprite',
    machineFile: '/.sprite/machine.json',
    sessionDir: '/var/lib/sprite/sessions',
    sessionLogBytes: 4 * 1024 * 1024,
    insideDir: '/.sprite',
    servicesDir: '/var/lib/sprite/services',
    logDir: '/var/log/sprite',
    apiSocket: '/.sprite/api.sock',
    fileIdleMs: 30_000,
  };
  for (let i = 0; i < args.length; i += 2) {
    const [name = '', value] = args.slice(i, i + 2);
    const read = Object.hasOwn(optionReaders, name) ? optionReaders[name] : undefined;
    if (read === undefined || value === undefined) {
      const known = Object.keys(optionReaders).join(', ');
      throw new SpriteError(
        'invalid_request',
        `unknown option or missing value: ${name}; options are ${known}`,
      );
    }
    config = { ...config, ...read(value) };
  }
  return config;
}

function toNumber(name: string, value: string, least: number): number {
  const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (Number.isSafeInteger(number) && number >= least) return number;
  throw new SpriteError('invalid_request', `bad ${name} ${value}: must be a whole number from ${least} on`);
}

/** Facts and settings of the machine, written by the server and read again when they change. */
export type Machine = {
  readonly version: string;
  readonly incarnation: number;
  readonly environment: Readonly<Record<string, string>>;
  /** whether the Go client may use control sockets, on which it hangs when a command cannot start */
  readonly controlForGo: boolean;
  /** whether a failed TTY command closes its socket with 4000 + exit code, the only sign of failure for JS */
  readonly ttyExitCloseCode: boolean;
};

/** Reads the machine's file once and again after each change. A missing or broken file means the defaults. */
export class MachineFile {
  readonly #path: string;
  #version = '';
  #machine: Machine = toMachine({});

  constructor(path: string) {
    this.#path = path;
  }

  read(): Machine {
    try {
      const { mtimeMs, size, ino } = statSync(this.#path);
      const version = `${mtimeMs} ${size} ${ino}`;
      if (version !== this.#version) {
        this.#machine = toMachine(JSON.parse(readFileSync(this.#path, 'utf8')));
        this.#version = version;
      }
    } catch {
      // A sprite whose facts cannot be read is still a sprite; the last known ones hold.
    }
    return this.#machine;
  }
}

function toMachine(value: unknown): Machine {
  const facts = toRecord(value);
  const environment = Object.entries(toRecord(facts.environment));
  const version = facts.version;
  return {
    version: typeof version === 'string' && /^\d+\.\d+\.\d+[\w.+-]*$/.test(version) ? version : agentVersion,
    incarnation: typeof facts.incarnation === 'number' ? facts.incarnation : 0,
    environment: Object.fromEntries(
      environment.filter((entry): entry is [string, string] => isVariable(entry)),
    ),
    controlForGo: facts.control_for_go === true,
    ttyExitCloseCode: facts.tty_exit_close_code === true,
  };
}

function toRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

function isVariable([key, value]: readonly [string, unknown]): boolean {
  return key !== '' && !/[=\0]/.test(key) && typeof value === 'string' && !value.includes('\0');
}
