/** One rule of an OCI seccomp profile. */
export type SeccompRule = {
  readonly names: readonly string[];
  readonly action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO';
  readonly errnoRet?: number;
  readonly args?: readonly SeccompArgument[];
};

/** A test of one argument; for `MASKED_EQ` `value` is the mask and `valueTwo` what must remain. */
export type SeccompArgument =
  | { readonly index: number; readonly value: number; readonly op: 'SCMP_CMP_EQ' }
  | {
      readonly index: number;
      readonly value: number;
      readonly valueTwo: number;
      readonly op: 'SCMP_CMP_MASKED_EQ';
    };

export type SeccompProfile = {
  readonly defaultAction: 'SCMP_ACT_ERRNO';
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly SeccompRule[];
};

const eperm = 1;
const enosys = 38;

const allow = (names: string): SeccompRule => ({ names: words(names), action: 'SCMP_ACT_ALLOW' });
const deny = (names: string, errnoRet: number): SeccompRule => ({
  names: words(names),
  action: 'SCMP_ACT_ERRNO',
  errnoRet,
});

const files = `
  access chdir chmod chown chown32 chroot close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
  fadvise64 fadvise64_64 fallocate fanotify_init fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat
  fcntl fcntl64 fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64
  fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64 getxattr inotify_add_watch inotify_init
  inotify_init1 inotify_rm_watch ioctl lchown lchown32 lgetxattr link linkat listxattr llistxattr _llseek lremovexattr
  lseek lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2 pread64
  preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr rename renameat
  renameat2 rmdir sendfile sendfile64 setxattr splice stat stat64 statfs statfs64 statx symlink symlinkat sync
  sync_file_range syncfs tee truncate truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes vmsplice
  write writev`;

const processes = `
  alarm arch_prctl capget capset clone clone3 execve execveat exit exit_group fork getegid getegid32 geteuid geteuid32
  getgid getgid32 getgroups getgroups32 getitimer getpgid getpgrp getpid getppid getpriority getresgid getresgid32
  getresuid getresuid32 getrlimit get_robust_list getrusage getsid get_thread_area gettid getuid getuid32 ioprio_get
  ioprio_set kcmp kill landlock_add_rule landlock_create_ruleset landlock_restrict_self modify_ldt pause personality
  pidfd_getfd pidfd_open pidfd_send_signal pivot_root prctl prlimit64 process_madvise process_mrelease process_vm_readv
  process_vm_writev ptrace restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
  rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_getaffinity sched_getattr
  sched_getparam sched_get_priority_max sched_get_priority_min sched_getscheduler sched_rr_get_interval
  sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp
  setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setns setpgid setpriority
  setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit set_robust_list setsid
  set_thread_area set_tid_address setuid setuid32 sigaltstack signal signalfd signalfd4 sigpending sigprocmask sigreturn
  sigsuspend tgkill tkill ugetrlimit unshare vfork wait4 waitid waitpid`;

const memory = `
  brk cachestat get_mempolicy madvise map_shadow_stack mbind membarrier memfd_create memfd_secret migrate_pages mincore
  mlock mlock2 mlockall mmap mmap2 move_pages mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free
  pkey_mprotect remap_file_pages set_mempolicy set_mempolicy_home_node`;

const waiting = `
  adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep
  clock_nanosleep_time64 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait
  epoll_wait_old eventfd eventfd2 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake getcpu getrandom
  gettimeofday io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit nanosleep
  _newselect pipe pipe2 poll ppoll ppoll_time64 pselect6 pselect6_time64 select sysinfo time times timer_create
  timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create
  timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 uname`;

const messages = `
  accept accept4 bind connect getpeername getsockname getsockopt ipc listen mq_getsetattr mq_notify mq_open
  mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd recv
  recvfrom recvmmsg recvmmsg_time64 recvmsg semctl semget semop semtimedop semtimedop_time64 send sendmmsg sendmsg
  sendto shmat shmctl shmdt shmget shutdown socketpair`;

// the user namespace decides what they may do; without them there is no sudo mount, no bubblewrap, no hostname
const administration = `
  mount umount umount2 open_tree move_mount mount_setattr listmount statmount sethostname setdomainname`;

/**
 * Calls refused whatever the capabilities, because they act on the whole kernel or have been its weak spots. Everything
 * named neither here nor above answers ENOSYS, so a newer kernel's calls stay closed until they are looked at.
 */
const refused = `
  acct add_key bpf clock_settime clock_settime64 delete_module finit_module init_module ioperm iopl kexec_file_load
  kexec_load keyctl lookup_dcookie open_by_handle_at perf_event_open quotactl quotactl_fd reboot request_key
  settimeofday socketcall stime swapoff swapon syslog userfaultfd vhangup`;

// programs fall back to the older call when these do not exist: mount(2) for the one, epoll for the other
const absent = 'fsopen fsconfig fsmount fspick io_uring_enter io_uring_register io_uring_setup';

const af = { unix: 1, inet: 2, inet6: 10, netlink: 16, packet: 17 } as const;
const netlink = { sockDiag: 4, audit: 9, fibLookup: 10, kobjectUevent: 15, generic: 16 } as const;

/**
 * Sockets by family; netlink only for what reads and sets interfaces, routes and sockets, not for the packet filter.
 * Any other family answers ENOSYS: libseccomp 2.5 does not take rules of several errors for one call.
 */
function socketRules(): readonly SeccompRule[] {
  const named = (value: number, protocol?: number): SeccompRule => ({
    names: ['socket'],
    action: 'SCMP_ACT_ALLOW',
    args: [
      { index: 0, value, op: 'SCMP_CMP_EQ' },
      ...(protocol === undefined ? [] : [{ index: 2, value: protocol, op: 'SCMP_CMP_EQ' } as const]),
    ],
  });
  return [
    ...[af.unix, af.inet, af.inet6, af.packet].map((family) => named(family)),
    ...[0, ...Object.values(netlink)].map((protocol) => named(af.netlink, protocol)),
  ];
}

const anyInt = 0xffff_ffff;
/** SOL_SOCKET, TCP, UDP, ICMPv6, SCTP, UDP-Lite, RAW, PACKET, NETLINK, TLS and MPTCP. */
const plainLevels = [1, 6, 17, 58, 132, 136, 255, 263, 270, 282, 284];
const ipLevels = { v4: 0, v6: 41 } as const;
/** Ranges of IPv6 options above 63, as mask and value: 66 and 67, 68 to 71, 72 to 79, 80 to 95. */
const laterIpv6Options = [
  [0xffff_fffe, 66],
  [0xffff_fffc, 68],
  [0xffff_fff8, 72],
  [0xffff_fff0, 80],
] as const;

/**
 * Socket options but for those of the old packet filters, 64 and up of IPv4 and 64 and 65 of IPv6: they load tables into
 * the kernel and have been a way out of user namespaces. The kernel looks at 32 bits of an argument, so we do, too.
 */
function socketOptionRules(): readonly SeccompRule[] {
  const option = (level: number, mask = 0, value = 0): SeccompRule => ({
    names: ['setsockopt'],
    action: 'SCMP_ACT_ALLOW',
    args: [
      { index: 1, value: anyInt, valueTwo: level, op: 'SCMP_CMP_MASKED_EQ' },
      ...(mask === 0 ? [] : [{ index: 2, value: mask, valueTwo: value, op: 'SCMP_CMP_MASKED_EQ' } as const]),
    ],
  });
  const below64 = 0xffff_ffc0;
  return [
    ...plainLevels.map((level) => option(level)),
    option(ipLevels.v4, below64),
    option(ipLevels.v6, below64),
    ...laterIpv6Options.map(([mask, value]) => option(ipLevels.v6, mask, value)),
  ];
}

/** The system calls of a sprite. */
export function createSeccompProfile(): SeccompProfile {
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: enosys,
    architectures: process.arch === 'arm64' ? ['SCMP_ARCH_AARCH64'] : ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
    syscalls: [
      allow(files + processes + memory + waiting + messages + administration),
      ...socketRules(),
      ...socketOptionRules(),
      deny(refused, eperm),
      deny(absent, enosys),
    ],
  };
}

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}
