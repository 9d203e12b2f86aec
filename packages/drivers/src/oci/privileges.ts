import type { PrivilegesPolicy } from '@sprites/contract';

const minimal = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'KILL', 'SETGID', 'SETUID'];

const standard = [
  ...minimal,
  'AUDIT_WRITE',
  'FSETID',
  'MKNOD',
  'NET_BIND_SERVICE',
  'NET_RAW',
  'SETFCAP',
  'SETPCAP',
  'SYS_CHROOT',
];

const privileged = [
  ...standard,
  'DAC_READ_SEARCH',
  'IPC_LOCK',
  'IPC_OWNER',
  'LEASE',
  'LINUX_IMMUTABLE',
  'NET_ADMIN',
  'NET_BROADCAST',
  'SYS_ADMIN',
  'SYS_NICE',
  'SYS_PTRACE',
  'SYS_TTY_CONFIG',
];

const profiles = { '': privileged, minimal, standard, privileged };

/** What root has inside, always in the machine's own user namespace and behind its seccomp profile. */
export function capabilitiesOf({ profile = '' }: PrivilegesPolicy): readonly string[] {
  return profiles[profile].map((name) => `CAP_${name}`);
}
