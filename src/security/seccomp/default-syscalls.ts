/**
 * The system calls of the default profile, by what they are for. Everything that is not here gives EPERM:
 * keyctl, bpf, perf, kexec, mounting, io_uring, userfaultfd, swap, module and clock control, new namespaces.
 */

/** Harmless in every container: they act on the caller, on what it can already reach, or the kernel checks. */
export const ALWAYS: readonly string[] = [
  ...["read", "readv", "pread64", "preadv", "preadv2", "write", "writev", "pwrite64", "pwritev", "pwritev2"],
  ...["open", "openat", "openat2", "creat", "close", "close_range", "lseek", "_llseek", "readahead"],
  ...["dup", "dup2", "dup3", "fcntl", "fcntl64", "flock", "ioctl", "pipe", "pipe2", "umask"],
  ...["fsync", "fdatasync", "sync", "syncfs", "sync_file_range", "fallocate", "fadvise64", "fadvise64_64"],
  ...["truncate", "truncate64", "ftruncate", "ftruncate64", "copy_file_range", "cachestat"],
  ...["sendfile", "sendfile64", "splice", "tee", "vmsplice"],

  ...["stat", "stat64", "lstat", "lstat64", "fstat", "fstat64", "fstatat64", "newfstatat", "statx"],
  ...["statfs", "statfs64", "fstatfs", "fstatfs64", "statmount", "listmount", "file_getattr", "file_setattr"],
  ...["access", "faccessat", "faccessat2", "chmod", "fchmod", "fchmodat", "fchmodat2"],
  ...["chown", "chown32", "fchown", "fchown32", "fchownat", "lchown", "lchown32"],
  ...["utime", "utimes", "utimensat", "utimensat_time64", "futimesat"],
  ...["getxattr", "lgetxattr", "fgetxattr", "getxattrat", "setxattr", "lsetxattr", "fsetxattr", "setxattrat"],
  ...["listxattr", "llistxattr", "flistxattr", "listxattrat"],
  ...["removexattr", "lremovexattr", "fremovexattr", "removexattrat"],
  ...["getcwd", "chdir", "fchdir", "getdents", "getdents64", "mkdir", "mkdirat", "rmdir", "mknod", "mknodat"],
  ...["link", "linkat", "symlink", "symlinkat", "readlink", "readlinkat", "unlink", "unlinkat"],
  ...["rename", "renameat", "renameat2", "name_to_handle_at"],
  ...["inotify_init", "inotify_init1", "inotify_add_watch", "inotify_rm_watch", "fanotify_mark"],

  ...["select", "_newselect", "pselect6", "pselect6_time64", "poll", "ppoll", "ppoll_time64"],
  ...["epoll_create", "epoll_create1", "epoll_ctl", "epoll_ctl_old"],
  ...["epoll_wait", "epoll_wait_old", "epoll_pwait", "epoll_pwait2"],
  ...["eventfd", "eventfd2", "signalfd", "signalfd4"],
  ...["io_setup", "io_destroy", "io_submit", "io_cancel", "io_getevents"],
  ...["io_pgetevents", "io_pgetevents_time64"],

  ...["socketcall", "socketpair", "bind", "connect", "listen", "accept", "accept4", "shutdown"],
  ...["getsockname", "getpeername", "getsockopt", "setsockopt", "send", "sendto", "sendmsg", "sendmmsg"],
  ...["recv", "recvfrom", "recvmsg", "recvmmsg", "recvmmsg_time64"],

  ...["brk", "mmap", "mmap2", "munmap", "mremap", "mprotect", "madvise", "mincore", "msync", "mseal"],
  ...["mlock", "mlock2", "mlockall", "munlock", "munlockall", "remap_file_pages", "membarrier"],
  ...["memfd_create", "memfd_secret", "pkey_alloc", "pkey_free", "pkey_mprotect", "map_shadow_stack"],

  ...["execve", "execveat", "exit", "exit_group", "fork", "vfork", "wait4", "waitid", "waitpid"],
  ...["getpid", "getppid", "gettid", "getpgid", "getpgrp", "setpgid", "getsid", "setsid"],
  ...["kill", "tkill", "tgkill", "pidfd_open", "pidfd_send_signal", "process_mrelease", "prctl"],
  ...["set_tid_address", "set_thread_area", "get_thread_area", "set_robust_list", "get_robust_list", "rseq"],
  ...["futex", "futex_time64", "futex_waitv", "futex_wait", "futex_wake", "futex_requeue"],
  ...["restart_syscall", "pause", "alarm", "uretprobe"],
  ...["ptrace", "process_vm_readv", "process_vm_writev"],

  ...["rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_tgsigqueueinfo"],
  ...["rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64"],
  ...["sigaltstack", "sigprocmask", "sigreturn"],

  ...["getuid", "getuid32", "geteuid", "geteuid32", "getgid", "getgid32", "getegid", "getegid32"],
  ...["getresuid", "getresuid32", "getresgid", "getresgid32", "getgroups", "getgroups32"],
  ...["setuid", "setuid32", "setgid", "setgid32", "setreuid", "setreuid32", "setregid", "setregid32"],
  ...["setresuid", "setresuid32", "setresgid", "setresgid32", "setgroups", "setgroups32"],
  ...["setfsuid", "setfsuid32", "setfsgid", "setfsgid32", "capget", "capset"],
  ...["seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"],

  ...[
    "getrlimit",
    "ugetrlimit",
    "setrlimit",
    "prlimit64",
    "getrusage",
    "times",
    "sysinfo",
    "uname",
    "getcpu",
  ],
  ...["getpriority", "setpriority", "ioprio_get", "ioprio_set", "getrandom"],
  ...["sched_yield", "sched_getaffinity", "sched_setaffinity", "sched_getattr", "sched_setattr"],
  ...["sched_getparam", "sched_setparam", "sched_getscheduler", "sched_setscheduler"],
  ...["sched_get_priority_max", "sched_get_priority_min"],
  ...["sched_rr_get_interval", "sched_rr_get_interval_time64"],

  ...["time", "gettimeofday", "clock_gettime", "clock_gettime64", "clock_getres", "clock_getres_time64"],
  ...["clock_nanosleep", "clock_nanosleep_time64", "nanosleep", "adjtimex", "clock_adjtime"],
  ...["clock_adjtime64", "getitimer", "setitimer"],
  ...["timer_create", "timer_delete", "timer_getoverrun", "timer_gettime", "timer_gettime64"],
  ...["timer_settime", "timer_settime64", "timerfd_create", "timerfd_gettime", "timerfd_gettime64"],
  ...["timerfd_settime", "timerfd_settime64"],

  ...["ipc", "msgctl", "msgget", "msgrcv", "msgsnd", "semctl", "semget", "semop", "semtimedop"],
  ...["semtimedop_time64", "shmat", "shmctl", "shmdt", "shmget"],
  ...["mq_open", "mq_unlink", "mq_notify", "mq_getsetattr", "mq_timedreceive", "mq_timedreceive_time64"],
  ...["mq_timedsend", "mq_timedsend_time64"],
];

/** Allowed with the capability that the kernel asks for anyway: without it, one surface less. */
export const WITH_CAPABILITY: Readonly<Record<string, readonly string[]>> = {
  CAP_SYS_ADMIN: [
    ...["mount", "umount", "umount2", "mount_setattr", "move_mount", "open_tree", "open_tree_attr"],
    ...["fsopen", "fsconfig", "fsmount", "fspick", "quotactl", "quotactl_fd", "fanotify_init"],
    ...["clone", "clone3", "unshare", "setns", "sethostname", "setdomainname"],
    ...["bpf", "perf_event_open", "syslog", "lookup_dcookie"],
    ...["lsm_get_self_attr", "lsm_set_self_attr", "lsm_list_modules"],
  ],
  CAP_BPF: ["bpf"],
  CAP_PERFMON: ["perf_event_open"],
  CAP_SYSLOG: ["syslog"],
  CAP_DAC_READ_SEARCH: ["open_by_handle_at"],
  CAP_SYS_BOOT: ["reboot"],
  CAP_SYS_CHROOT: ["chroot"],
  CAP_SYS_MODULE: ["init_module", "finit_module", "delete_module"],
  CAP_SYS_NICE: ["get_mempolicy", "set_mempolicy", "mbind", "set_mempolicy_home_node"],
  CAP_SYS_PACCT: ["acct"],
  CAP_SYS_PTRACE: ["kcmp", "pidfd_getfd", "process_madvise"],
  CAP_SYS_RAWIO: ["iopl", "ioperm"],
  CAP_SYS_TIME: ["settimeofday", "stime", "clock_settime", "clock_settime64"],
  CAP_SYS_TTY_CONFIG: ["vhangup"],
};
