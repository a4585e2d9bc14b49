"""The walls: Landlock, seccomp, capabilities and resource limits, through ctypes and the kernel's own interfaces.

Sources: Linux uapi headers ``landlock.h``, ``seccomp.h``, ``filter.h``, ``capability.h``, ``prctl.h`` (numbers and
structures); syscall numbers of the x86-64 table and of the generic table (aarch64).
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import struct
import sys
from collections.abc import Iterable
from typing import Final

_libc = ctypes.CDLL(None, use_errno=True)

PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 8, 22, 38
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
CAP_DAC_READ_SEARCH: Final = 2
MAX_DESCRIPTORS: Final = 256
_FILE_RIGHTS: Final = 1 << 1 | _READ_FILE | 1 << 14
_MAKE_CHAR, _MAKE_SOCK, _MAKE_BLOCK, _EXECUTE = 1 << 6, 1 << 9, 1 << 11, 1


def _call(number: int, *arguments: object) -> int:
    result = _libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(result)


def _prctl(option: int, *arguments: int) -> None:
    values = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:4]]
    if _libc.prctl(ctypes.c_int(option), *values) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


# For forked children, which pay for every page that they write to: made once, and without a place for errno.
_quick = ctypes.PyDLL(None)
_quick_prctl, _quick_syscall = _quick.prctl, _quick.syscall
_DIE_WITH_PARENT = (ctypes.c_int(PR_SET_PDEATHSIG), *(ctypes.c_ulong(value) for value in (9, 0, 0, 0)))


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends."""
    if _quick_prctl(*_DIE_WITH_PARENT) != 0:
        raise OSError("PR_SET_PDEATHSIG is refused")


def give_back_memory() -> None:
    """Give unused memory back to the kernel, where the C library can: a fork pays for every page there is."""
    if hasattr(_quick, "malloc_trim"):
        _quick.malloc_trim(0)


# --- Landlock ------------------------------------------------------------------------------------------------------


def landlock_abi() -> int:
    """Return the kernel's Landlock version; 0 where there is none."""
    try:
        return _call(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    except OSError:
        return 0


def _handled_files(abi: int) -> int:
    # 13 rights in version 1; REFER came with 2, TRUNCATE with 3, IOCTL_DEV with 5.
    return (1 << (13 + (abi >= 2) + (abi >= 3) + (abi >= 5))) - 1


class Ruleset:
    """A Landlock rule set, built once and applied in every forked child; all that it does not allow is denied.

    Args:
        read: Files and folders that may be read.
        write: Folders in which anything but devices, sockets and execution is allowed.

    Raises:
        OSError: The kernel refuses Landlock.
    """

    def __init__(self, read: Iterable[str], write: Iterable[str] = ()) -> None:
        abi = landlock_abi()
        files = _handled_files(abi)
        network = 3 if abi >= 4 else 0
        scope = 3 if abi >= 6 else 0
        size = 24 if abi >= 6 else 16 if abi >= 4 else 8
        attribute = struct.pack("=QQQ", files, network, scope)[:size]
        self.descriptor = _call(_LANDLOCK_CREATE, attribute, ctypes.c_size_t(size), ctypes.c_uint32(0))
        for path in read:
            self._allow(path, _READ_FILE | _READ_DIR)
        for path in write:
            self._allow(path, files & ~(_MAKE_CHAR | _MAKE_SOCK | _MAKE_BLOCK | _EXECUTE))

    def _allow(self, path: str, rights: int) -> None:
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            if not os.path.isdir(path):
                # Folder rights on a file are refused by the kernel.
                rights &= _FILE_RIGHTS
            _call(
                _LANDLOCK_ADD,
                ctypes.c_int(self.descriptor),
                ctypes.c_int(1),
                struct.pack("=Qi", rights, descriptor),
                ctypes.c_uint32(0),
            )
        finally:
            os.close(descriptor)

    def restrict(self) -> None:
        """Confine this process (and all it forks) to the rules, for ever."""
        _prctl(PR_SET_NO_NEW_PRIVS, 1)
        _call(_LANDLOCK_RESTRICT, ctypes.c_int(self.descriptor), ctypes.c_uint32(0))


# --- seccomp -------------------------------------------------------------------------------------------------------

# name: (x86-64, aarch64); None where the architecture has no such call.
_DENIED: Final[dict[str, tuple[int | None, int | None]]] = {
    # network
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242),
    # descriptors on their way between sockets: files that nobody could count
    "sendmsg": (46, 211), "sendmmsg": (307, 269),
    # other processes
    "execve": (59, 221), "execveat": (322, 281),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "pidfd_getfd": (438, 438), "kcmp": (312, 272),
    "process_madvise": (440, 440), "process_mrelease": (448, 448),
    "migrate_pages": (256, 238), "move_pages": (279, 239),
    "setpriority": (141, 140), "ioprio_set": (251, 30), "sched_setparam": (142, 118), "sched_setscheduler": (144, 119),
    "sched_setattr": (314, 274), "sched_setaffinity": (203, 122),
    # mounts and namespaces
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97),
    "setns": (308, 268), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    # the kernel and its big interfaces
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "keyctl": (250, 219), "add_key": (248, 217),
    "request_key": (249, 218), "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "reboot": (169, 142), "swapon": (167, 224),
    "swapoff": (168, 225), "acct": (163, 89), "quotactl": (179, 60), "quotactl_fd": (443, 443),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171), "clock_adjtime": (305, 266),
    "sethostname": (170, 161), "setdomainname": (171, 162), "syslog": (103, 116), "iopl": (172, None),
    "ioperm": (173, None), "modify_ldt": (154, None), "personality": (135, 92), "vhangup": (153, 58),
    "fanotify_init": (300, 262), "fanotify_mark": (301, 263), "seccomp": (317, 277),
    "lookup_dcookie": (212, 18), "nfsservctl": (180, 42), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    # System V and POSIX message interfaces, which Landlock does not see
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "semop": (65, 193),
    "semctl": (66, 191), "semtimedop": (220, 192), "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188),
    "msgctl": (71, 187), "mq_open": (240, 180), "mq_unlink": (241, 181),
    # metadata of files, which Landlock does not see: an ordinary user owns more than the scratch folder
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, None),
    "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54), "utime": (132, None), "utimes": (235, None),
    "futimesat": (261, None), "utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6),
    "fsetxattr": (190, 7), "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "setxattrat": (463, 463), "removexattrat": (466, 466), "file_setattr": (469, 469),
    "truncate": (76, 45),
    # what Landlock does not see, memory that no limit counts, and what slows the whole machine
    "inotify_init": (253, None), "inotify_init1": (294, 26), "inotify_add_watch": (254, 27), "statmount": (457, 457),
    "listmount": (458, 458), "open_tree_attr": (467, 467),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "sync": (162, 81), "syncfs": (306, 267),
}  # fmt: skip
# What the zygote still needs and its children do not.
_DENIED_TO_CHILDREN: Final[dict[str, tuple[int | None, int | None]]] = {
    "fork": (57, None), "vfork": (58, None), "kill": (62, 129), "tkill": (200, 130),
    "pidfd_send_signal": (424, 424), "pidfd_open": (434, 434),
}  # fmt: skip
_CLONE, _CLONE3, _PRCTL = (56, 220), (435, 435), (157, 167)
_TGKILL, _PRLIMIT, _IOCTL = (234, 131), (302, 261), (16, 29)
_SOCKETPAIR, _FCNTL = (53, 199), (72, 25)
_AUDIT_ARCH: Final = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
_CLONE_THREAD: Final = 0x00010000
_ALLOWED_PRCTL: Final = (15, 16, 0x53564D41)  # set and get a thread's name, name a mapping
# Typing into a terminal; who gets the signals of a descriptor (F_SETOWN is kill() by another name).
_DENIED_IOCTL: Final = (0x5412, 0x541C, 0x8901, 0x8902)
_DENIED_FCNTL: Final = (8, 10, 15)
_AF_UNIX, _SOCK_STREAM, _SOCK_TYPE_MASK = 1, 1, 0xF

_LD, _AND, _JEQ, _JSET, _JGE, _RET = 0x20, 0x54, 0x15, 0x45, 0x35, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000


def architecture_known() -> bool:
    """Return whether this is Linux on a machine whose system calls are in the table."""
    return sys.platform == "linux" and os.uname().machine in _AUDIT_ARCH


def _op(code: int, operand: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, operand & 0xFFFFFFFF)


def _argument(index: int) -> bytes:
    # The low half of an argument; both architectures are little-endian.
    return _op(_LD, 16 + 8 * index)


def _when(number: int, body: list[bytes]) -> list[bytes]:
    return [_op(_JEQ, number, 0, len(body)), *body]


_REFUSE: Final = _op(_RET, _ERRNO | errno.EPERM)
_PERMIT: Final = _op(_RET, _ALLOW)


def _program(column: int, arch: int, denied: dict[str, tuple[int | None, int | None]], rules: list[bytes]) -> bytes:
    head = [_op(_LD, 4), _op(_JEQ, arch, 1, 0), _op(_RET, _KILL), _op(_LD, 0)]
    # The x32 interface has numbers of its own for the same calls.
    head += [_op(_JGE, 0x40000000, 0, 1), _op(_RET, _KILL)]
    numbers = [pair[column] for pair in denied.values()]
    refusals = [part for number in numbers if number is not None for part in _when(number, [_REFUSE])]
    return b"".join([*head, *rules, *refusals, _PERMIT])


class _Filter:
    """A filter that is ready to be installed.

    Args:
        code: The program.
    """

    def __init__(self, code: bytes) -> None:
        self.code = ctypes.create_string_buffer(code, len(code))
        program = struct.pack("@HP", len(code) // 8, ctypes.addressof(self.code))
        self._holder = ctypes.create_string_buffer(program, len(program))
        values = (2, ctypes.addressof(self._holder), 0, 0)
        self._arguments = (ctypes.c_int(PR_SET_SECCOMP), *map(ctypes.c_ulong, values))

    def install(self) -> None:
        """Install it for ever; `PR_SET_NO_NEW_PRIVS` must be set."""
        if _quick_prctl(*self._arguments) != 0:
            raise OSError("the seccomp filter is refused")


def _unless(index: int, denied: tuple[int, ...]) -> list[bytes]:
    """Refuse when an argument is one of those."""
    last = len(denied) - 1
    checks = [_op(_JEQ, value, last - i, 1 if i == last else 0) for i, value in enumerate(denied)]
    return [_argument(index), *checks, _REFUSE, _PERMIT]


def deny_to_zygote() -> None:
    """Refuse, for ever, the system calls that neither the zygote nor what it forks has a use for.

    The long list is installed once and inherited: installing it in every child would cost as much as the fork.

    Raises:
        OSError: The kernel refuses the filter.
    """
    arch, column = _AUDIT_ARCH[os.uname().machine]
    # A pair of streams is what asyncio needs; datagrams can be sent to any socket that has a name.
    stream = [_argument(0), _op(_JEQ, _AF_UNIX, 0, 3), _argument(1), _op(_AND, _SOCK_TYPE_MASK)]
    rules = [
        *_when(_IOCTL[column], _unless(1, _DENIED_IOCTL)),
        *_when(_FCNTL[column], _unless(1, _DENIED_FCNTL)),
        *_when(_SOCKETPAIR[column], [*stream, _op(_JEQ, _SOCK_STREAM, 1, 0), _REFUSE, _PERMIT]),
    ]
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _Filter(_program(column, arch, _DENIED, rules)).install()


class ChildWalls:
    """What a child adds to the zygote's walls: a Landlock domain of its own, and a second filter.

    The filter refuses what only the zygote may do, signals to others and new processes (threads are allowed), so that
    nothing of a test can survive it; and SIGKILL to itself, so that who dies of one was killed by somebody else.

    Args:
        ruleset: What may be read and written.
    """

    _NOBODY = 0x7FFFFFFF

    def __init__(self, ruleset: Ruleset) -> None:
        arch, column = _AUDIT_ARCH[os.uname().machine]
        last = len(_ALLOWED_PRCTL) - 1
        checks = [_op(_JEQ, option, last - i + 1, 0) for i, option in enumerate(_ALLOWED_PRCTL)]
        itself = _op(_JEQ, self._NOBODY, 1, 0)
        rules = [
            *_when(_CLONE3[column], [_op(_RET, _ERRNO | errno.ENOSYS)]),
            *_when(_CLONE[column], [_argument(0), _op(_JSET, _CLONE_THREAD, 1, 0), _REFUSE, _PERMIT]),
            *_when(
                _TGKILL[column], [_argument(0), itself, _REFUSE, _argument(2), _op(_JEQ, 9, 0, 1), _REFUSE, _PERMIT]
            ),
            *_when(_PRLIMIT[column], [_argument(0), _op(_JEQ, 0, 1, 0), _REFUSE, _PERMIT]),
            *_when(_PRCTL[column], [_argument(0), *checks, _REFUSE, _PERMIT]),
        ]
        code = _program(column, arch, _DENIED_TO_CHILDREN, rules)
        self._filter = _Filter(code)
        # Where the child's own process id goes.
        place = ctypes.addressof(self._filter.code) + code.index(itself) + 4
        self._pid = ctypes.c_uint32.from_address(place)
        self._restrict = (
            ctypes.c_long(_LANDLOCK_RESTRICT),
            ctypes.c_int(ruleset.descriptor),
            ctypes.c_uint32(0),
        )

    def enter(self) -> None:
        """Confine this process for ever. `PR_SET_NO_NEW_PRIVS` is inherited from the zygote.

        Raises:
            OSError: The kernel refuses.
        """
        if _quick_syscall(*self._restrict) != 0:
            raise OSError("the Landlock rules are refused")
        self._pid.value = os.getpid()
        self._filter.install()


# --- users, limits -------------------------------------------------------------------------------------------------


def drop_user(uid: int, *, keep_search: bool) -> None:
    """Become an ordinary user for good.

    Args:
        uid: The user and group to become.
        keep_search: Keep the one capability to search folders, for a Python that lives below a private folder of
            root's; Landlock still decides which files can be opened.

    Raises:
        OSError: The change is refused.
    """
    if keep_search:
        _prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    if keep_search:
        _set_capabilities(1 << CAP_DAC_READ_SEARCH)


def drop_capabilities() -> None:
    """Give up every capability, for good: what is left of root is a user who owns root's files."""
    _set_capabilities(0)


def _set_capabilities(mask: int) -> None:
    header = struct.pack("=Ii", 0x20080522, 0)
    data = struct.pack("=IIIIII", mask, mask, 0, 0, 0, 0)
    if _libc.capset(header, data) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def limit_resources(*, memory_bytes: int, threads: int | None) -> None:
    """Set the hard limits that the zygote and all its children share.

    Args:
        memory_bytes: Address space of each process.
        threads: Threads of the user, in all; None where the user has other processes of its own.
    """
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_NOFILE: MAX_DESCRIPTORS,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    if threads is not None:
        limits[resource.RLIMIT_NPROC] = threads
    # Only what may run a model's words gets to write files (`limit_files`).
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    for kind, value in limits.items():
        _, hard = resource.getrlimit(kind)
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))


def limit_processor(cpu_seconds: float) -> None:
    """Set a child's hard limit on processor time: a backstop behind the watcher's finer clock."""
    seconds = int(cpu_seconds) + 3
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def limit_files(file_bytes: int) -> None:
    """Set a child's hard limit on the size of a file; 0 is inherited."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
