import { availableParallelism, totalmem } from 'node:os';
import { parseDurationMs } from '@sprites/contract';
import type { VerifyPlan } from '@sprites/core';
import { z } from 'zod';
import { ingressSettings } from './ingress-settings.ts';
import { absolutePath, defineSetting, onOff, type Setting, text, wholeNumber } from './setting.ts';

const idleWindow = z.union([z.literal('never'), wholeNumber(1, 31_536_000)]);

const verifyPlan = z.string().transform((value, context): VerifyPlan => {
  if (value === 'off') return { type: 'off' };
  const [, hours, minutes] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(value) ?? [];
  if (hours !== undefined) return { type: 'daily', minuteOfDay: Number(hours) * 60 + Number(minutes) };
  const ms = parseDurationMs(value);
  if (ms !== undefined && ms >= 1000) return { type: 'every', ms };
  context.addIssue({ code: 'custom' });
  return z.NEVER;
});

const autoInterval = z.string().transform((value, context): number | 'off' => {
  if (value === 'off') return 'off';
  const ms = parseDurationMs(value);
  if (ms !== undefined && ms >= 5000 && ms <= 31_536_000_000) return Math.round(ms / 1000);
  context.addIssue({ code: 'custom' });
  return z.NEVER;
});

const hostMemoryMb = Math.floor(totalmem() / 1024 / 1024);
const listenPattern = /^(\[[0-9a-fA-F:]+\]|[^:[\]]+):(\d{1,5})$/;
const cidrPattern = /^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/;
const domainPattern = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*(:\d+)?$/;

/** Every setting of the server; environment, flags, checks and `--help` are derived from this table. */
export const settings = {
  dataDir: defineSetting({
    env: 'SPRITES_DATA_DIR',
    flag: 'data-dir',
    placeholder: 'dir',
    help: 'where disks, images and the database live',
    range: 'an absolute path',
    schema: absolutePath,
    fallback: '/var/lib/sprites',
  }),
  listen: defineSetting({
    env: 'SPRITES_LISTEN',
    flag: 'listen',
    placeholder: 'host:port',
    help: 'address and port of the API',
    range: 'HOST:PORT with a port from 0 to 65535; 0 takes a free one',
    schema: z
      .string()
      .regex(listenPattern)
      .transform((value) => {
        const [, host = '', port = ''] = listenPattern.exec(value) ?? [];
        return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
      })
      .refine(({ port }) => port <= 65_535),
    fallback: '127.0.0.1:7777',
  }),
  domain: defineSetting({
    env: 'SPRITES_DOMAIN',
    flag: 'domain',
    placeholder: 'name',
    help: 'domain under which each sprite has a host name of its own',
    range: 'a lower-case DNS name, optionally with a port',
    schema: z.string().regex(domainPattern),
    fallback: 'sprites.localhost',
  }),
  image: defineSetting({
    env: 'SPRITES_IMAGE',
    flag: 'image',
    placeholder: 'name',
    help: 'base image of a sprite created without one',
    range: 'the name of a recipe or of an imported image',
    schema: text,
    fallback: 'standard',
  }),
  imagesDir: defineSetting({
    env: 'SPRITES_IMAGES_DIR',
    flag: 'images-dir',
    placeholder: 'dir',
    help: 'where base images are kept; default `images` in the data directory; servers may share one',
    range: 'an absolute path',
    schema: absolutePath,
  }),
  bootstrapToken: defineSetting({
    env: 'SPRITES_BOOTSTRAP_TOKEN',
    flag: 'bootstrap-token',
    placeholder: 'token',
    help: 'a token of org `personal` chosen by you, for automation; nothing is then written to the home directory',
    range: 'at least 16 printable characters without spaces',
    schema: z.string().regex(/^[\x21-\x7e]{16,512}$/),
    secret: true,
  }),
  exchangeCredential: defineSetting({
    env: 'SPRITES_EXCHANGE_CREDENTIAL',
    flag: 'exchange-credential',
    placeholder: 'text',
    help: 'credential that POST /v1/organizations/{org}/tokens exchanges for a token; unset closes that endpoint',
    range: 'at least 16 printable characters without spaces',
    schema: z.string().regex(/^[\x21-\x7e]{16,65536}$/),
    secret: true,
  }),
  network: defineSetting({
    env: 'SPRITES_NETWORK',
    flag: 'network',
    placeholder: 'cidr',
    help: 'address range of the sprites; must not overlap a route of this host',
    range: 'a private IPv4 range such as 10.88.0.0/16',
    schema: z.string().regex(cidrPattern),
    fallback: '10.88.0.0/16',
  }),
  networkAllow: defineSetting({
    env: 'SPRITES_NETWORK_ALLOW',
    flag: 'network-allow',
    placeholder: 'cidr,…',
    help: 'private ranges that sprites may reach all the same, such as a package mirror in your network',
    range: 'IPv4 ranges or addresses with commas between them',
    schema: z
      .string()
      .transform((value) => value.split(',').filter((part) => part !== ''))
      .pipe(z.array(z.string().regex(/^\d{1,3}(\.\d{1,3}){3}(\/\d{1,2})?$/))),
    fallback: '',
  }),
  egressDefault: defineSetting({
    env: 'SPRITES_EGRESS_DEFAULT',
    flag: 'egress-default',
    placeholder: 'allow|deny',
    help: 'what a sprite without network rules may reach: any public address, or nothing until rules allow it',
    range: 'allow or deny',
    schema: z.enum(['allow', 'deny']),
    fallback: 'allow',
  }),
  dnsUpstreams: defineSetting({
    env: 'SPRITES_DNS_UPSTREAMS',
    flag: 'dns-upstreams',
    placeholder: 'address,…',
    help: 'name servers to ask for sprites; default those of this host’s /etc/resolv.conf, read again when it changes',
    range:
      'addresses with commas between them, each optionally with a port: 192.0.2.1, 192.0.2.1:5353, [2001:db8::1]:53',
    schema: z
      .string()
      .transform((value) => value.split(','))
      .pipe(
        z
          .array(z.string().regex(/^(\d{1,3}(\.\d{1,3}){3}(:\d{1,5})?|\[[0-9a-fA-F:.]+\](:\d{1,5})?)$/))
          .max(6),
      ),
  }),
  dnsQueriesPerS: defineSetting({
    env: 'SPRITES_DNS_QUERIES_PER_S',
    flag: 'dns-queries-per-s',
    placeholder: 'n',
    help: 'most DNS questions of one sprite per second, with twice as many at once; more are refused',
    range: '1 to 100000',
    schema: wholeNumber(1, 100_000),
    fallback: '200',
  }),
  apiRate: defineSetting({
    env: 'SPRITES_API_RATE',
    flag: 'api-rate',
    placeholder: 'n',
    help: 'most API requests with one token per minute; more are answered 429; 0 for any number',
    range: '0 to 10000000',
    schema: wholeNumber(0, 10_000_000),
    fallback: '60000',
  }),
  createRate: defineSetting({
    env: 'SPRITES_CREATE_RATE',
    flag: 'create-rate',
    placeholder: 'n',
    help: 'most sprites an organisation may create per minute; more are answered 429; 0 for any number',
    range: '0 to 1000000',
    schema: wholeNumber(0, 1_000_000),
    fallback: '0',
  }),
  maxConnections: defineSetting({
    env: 'SPRITES_MAX_CONNECTIONS',
    flag: 'max-connections',
    placeholder: 'n',
    help: 'most connections of clients at a time; further ones are closed',
    range: '16 to 1000000',
    schema: wholeNumber(16, 1_000_000),
    fallback: '16384',
  }),
  extraCa: defineSetting({
    env: 'SPRITES_EXTRA_CA',
    flag: 'extra-ca',
    placeholder: 'file',
    help: 'PEM file of certificate authorities that every sprite trusts, for people behind a TLS-inspecting proxy',
    range: 'an absolute path of a PEM file',
    schema: absolutePath,
  }),
  runtime: defineSetting({
    env: 'SPRITES_RUNTIME',
    flag: 'runtime',
    placeholder: 'name',
    help: 'what runs the machines; it is probed at start and refused when it does not work here',
    range: 'runc, crun or runsc',
    schema: z.enum(['runc', 'crun', 'runsc']),
    fallback: 'runc',
  }),
  cpus: defineSetting({
    env: 'SPRITES_CPUS',
    flag: 'cpus',
    placeholder: 'n',
    help: 'most vCPUs of one sprite; default all of the host up to 8',
    range: '1 to 1024',
    schema: wholeNumber(1, 1024),
    fallback: String(Math.min(8, availableParallelism())),
  }),
  memoryMb: defineSetting({
    env: 'SPRITES_MEMORY_MB',
    flag: 'memory-mb',
    placeholder: 'MiB',
    help: 'most memory of one sprite in MiB; default 8192 or half of the host’s',
    range: '128 to 16777216',
    schema: wholeNumber(128, 16_777_216),
    fallback: String(Math.max(128, Math.min(8192, Math.floor(hostMemoryMb / 2)))),
  }),
  diskGb: defineSetting({
    env: 'SPRITES_DISK_GB',
    flag: 'disk-gb',
    placeholder: 'GiB',
    help: 'size of one sprite’s disk in GiB; only what is written takes space',
    range: '1 to 16384',
    schema: wholeNumber(1, 16_384),
    fallback: '100',
  }),
  maxProcesses: defineSetting({
    env: 'SPRITES_MAX_PROCESSES',
    flag: 'max-processes',
    placeholder: 'n',
    help: 'most processes and threads of one sprite',
    range: '64 to 4194304',
    schema: wholeNumber(64, 4_194_304),
    fallback: '4096',
  }),
  maxSprites: defineSetting({
    env: 'SPRITES_MAX_SPRITES',
    flag: 'max-sprites',
    placeholder: 'n',
    help: 'most sprites on this server; the address range bounds it as well',
    range: '1 to 60000',
    schema: wholeNumber(1, 60_000),
    fallback: '10000',
  }),
  readyMachines: defineSetting({
    env: 'SPRITES_READY_MACHINES',
    flag: 'ready-machines',
    placeholder: 'n',
    help: 'machines kept running for sprites to come, so that a new sprite answers at once; default 1, or 0 on hosts with less than 2 GiB of memory',
    range: '0 to 100',
    schema: wholeNumber(0, 100),
    fallback: hostMemoryMb < 2000 ? '0' : '1',
  }),
  limitsView: defineSetting({
    env: 'SPRITES_LIMITS_VIEW',
    flag: 'limits-view',
    placeholder: 'on|off',
    help: 'show sprites their own memory, load and processors in /proc, where lxcfs is installed',
    range: 'on or off',
    schema: onOff,
    fallback: 'on',
  }),
  poolGb: defineSetting({
    env: 'SPRITES_POOL_GB',
    flag: 'pool-gb',
    placeholder: 'GiB',
    help: 'size of the disk pool when it must be a file; default nine tenths of the free space at its making',
    range: '2 to 1048576',
    schema: wholeNumber(2, 1_048_576),
  }),
  poolReserveMb: defineSetting({
    env: 'SPRITES_POOL_RESERVE_MB',
    flag: 'pool-reserve-mb',
    placeholder: 'MiB',
    help: 'free space of the disk pool below which no sprite or checkpoint is made; programs may write half of it; default 1024 or 5 % of the pool, at most an eighth',
    range: '64 to 16777216',
    schema: wholeNumber(64, 16_777_216),
  }),
  verify: defineSetting({
    env: 'SPRITES_VERIFY',
    flag: 'verify',
    placeholder: 'when',
    help: 'when all checkpoints are read and compared with their checksums: a time of the day here, or an interval',
    range: 'HH:MM, a duration such as 12h of at least 1s, or off',
    schema: verifyPlan,
    fallback: '03:30',
  }),
  autoCheckpoints: defineSetting({
    env: 'SPRITES_AUTO_CHECKPOINTS',
    flag: 'auto-checkpoints',
    placeholder: 'every',
    help: 'how often a sprite whose disk changes is saved by itself; a sprite can have its own',
    range: 'a duration such as 1h of at least 5s, or off',
    schema: autoInterval,
    fallback: '1h',
  }),
  autoKeepHourly: defineSetting({
    env: 'SPRITES_AUTO_KEEP_HOURLY',
    flag: 'auto-keep-hourly',
    placeholder: 'n',
    help: 'of how many hours the newest automatic checkpoint stays; a sprite can have its own',
    range: '0 to 1000',
    schema: wholeNumber(0, 1000),
    fallback: '24',
  }),
  autoKeepDaily: defineSetting({
    env: 'SPRITES_AUTO_KEEP_DAILY',
    flag: 'auto-keep-daily',
    placeholder: 'n',
    help: 'of how many days the newest automatic checkpoint stays; a sprite can have its own',
    range: '0 to 1000',
    schema: wholeNumber(0, 1000),
    fallback: '7',
  }),
  uidBase: defineSetting({
    env: 'SPRITES_UID_BASE',
    flag: 'uid-base',
    placeholder: 'uid',
    help: 'first host uid of the sprites; each takes the next 65536',
    range: '65536 to 4000000000',
    schema: wholeNumber(65_536, 4_000_000_000),
    fallback: '1000000000',
  }),
  wakeTimeoutS: defineSetting({
    env: 'SPRITES_WAKE_TIMEOUT_S',
    flag: 'wake-timeout-s',
    placeholder: 's',
    help: 'how long a request waits for a sprite to wake, in seconds',
    range: '1 to 600',
    schema: wholeNumber(1, 600),
    fallback: '25',
  }),
  warmAfterS: defineSetting({
    env: 'SPRITES_WARM_AFTER_S',
    flag: 'warm-after-s',
    placeholder: 's|never',
    help: 'idle seconds after which a sprite is frozen in memory; a sprite can have its own',
    range: '1 to 31536000, or never',
    schema: idleWindow,
    fallback: '30',
  }),
  coldAfterS: defineSetting({
    env: 'SPRITES_COLD_AFTER_S',
    flag: 'cold-after-s',
    placeholder: 's|never',
    help: 'seconds in memory after which a frozen sprite is stopped; a sprite can have its own',
    range: '1 to 31536000, or never',
    schema: idleWindow,
    fallback: '600',
  }),
  memoryReserveMb: defineSetting({
    env: 'SPRITES_MEMORY_RESERVE_MB',
    flag: 'memory-reserve-mb',
    placeholder: 'MiB',
    help: 'available memory of the host below which frozen sprites are stopped, the longest-frozen first; 0 for never; default 5 % of the host’s',
    range: '0 to 16777216',
    schema: wholeNumber(0, 16_777_216),
    fallback: String(Math.max(256, Math.floor(hostMemoryMb / 20))),
  }),
  reclaimWarm: defineSetting({
    env: 'SPRITES_RECLAIM_WARM',
    flag: 'reclaim-warm',
    placeholder: 'auto|off',
    help: 'move the memory of frozen sprites to the host’s swap, if it has some; makes their wakes slower',
    range: 'auto or off',
    schema: z.enum(['auto', 'off']),
    fallback: 'off',
  }),
  ttyExitCloseCode: defineSetting({
    env: 'SPRITES_TTY_EXIT_CLOSE_CODE',
    flag: 'tty-exit-close-code',
    placeholder: 'on|off',
    help: 'close the socket of a failed terminal command with 4000 + exit code instead of 1000',
    range: 'on or off',
    schema: onOff,
    fallback: 'off',
  }),
  controlForGo: defineSetting({
    env: 'SPRITES_CONTROL_FOR_GO',
    flag: 'control-for-go',
    placeholder: 'on|off',
    help: 'offer control connections to the Go SDK too, which is better served without them',
    range: 'on or off',
    schema: onOff,
    fallback: 'off',
  }),
  ...ingressSettings,
  logLevel: defineSetting({
    env: 'SPRITES_LOG_LEVEL',
    flag: 'log-level',
    placeholder: 'level',
    help: 'least severity that is logged',
    range: 'trace, debug, info, warn, error or silent',
    schema: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']),
    fallback: 'info',
  }),
} as const satisfies Record<string, Setting>;
