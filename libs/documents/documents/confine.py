"""What a parser's process may not do, asked of the kernel. Linux alone; what it refuses is said in ``Isolation``, not passed over.

Two steps. ``enclose`` is for the fork server once it has imported everything: it gives up root, takes namespaces of its own (no network,
no sight of other processes, an empty read-only file system) and forks, for only a child is inside a new process namespace. ``confine`` is
for each child of it: limits of its own, no capabilities, no environment, no descriptors but those named.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import resource
import signal
import sys
from collections.abc import Iterable
from dataclasses import dataclass

NEW_NS, NEW_UTS, NEW_IPC, NEW_USER, NEW_PID, NEW_NET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
MS_RDONLY_NOSUID_NODEV_NOEXEC, MS_REC_PRIVATE = 0xF, 0x44000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38
CAPABILITY_VERSION_3 = 0x20080522
NOBODY = 65534
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Isolation:
    """What the kernel let us take away; limits of memory, time, files and processes hold in any case."""

    network: bool
    """There is no network but an unconnected loopback."""
    processes: bool
    """Other processes can be neither seen nor signalled, and all die with the server."""
    files: bool
    """The file system is an empty folder."""

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return self.network and self.processes and self.files


def die_with_parent() -> None:
    """SIGKILL when the thread that made this process ends. A change of user undoes it."""
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def address_space_bytes() -> int:
    """What this process has mapped. Not available once enclosed."""
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123
        return int(file.read().split()[0]) * resource.getpagesize()


def enclose() -> Isolation:
    """Give up root, enter new namespaces and an empty file system; the caller forks then. Needs a process with one thread."""
    if os.geteuid() == 0:  # as root, process limits don't hold and files of root could be opened
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        die_with_parent()
    if _LIBC.unshare(NEW_USER | NEW_NS | NEW_PID | NEW_NET | NEW_IPC | NEW_UTS) != 0:
        return Isolation(network=False, processes=False, files=False)
    return Isolation(network=True, processes=True, files=_empty_root())


def _empty_root() -> bool:
    if _LIBC.mount(b"none", b"/", None, MS_REC_PRIVATE, None) != 0:
        return False
    if _LIBC.mount(b"none", b"/tmp", b"tmpfs", MS_RDONLY_NOSUID_NODEV_NOEXEC, b"size=4k") != 0:
        return False
    try:
        os.chroot("/tmp")  # noqa: S108
    except OSError:
        return False
    os.chdir("/")
    return True


def confine(keep: Iterable[int], *, address_space: int, cpu_s: int, open_files: int) -> None:
    """Bound this process for good. ``keep``: descriptors that stay open beside 0 to 2."""
    os.environ.clear()
    sys.setrecursionlimit(1_000)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    _close_all_but({0, 1, 2, *keep})
    for kind, most in (
        (resource.RLIMIT_AS, address_space),
        (resource.RLIMIT_NOFILE, open_files),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_MEMLOCK, 0),
    ):
        resource.setrlimit(kind, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    _LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _drop_capabilities()
    _LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # siblings share a user: none may trace another


def _close_all_but(keep: set[int]) -> None:
    edges = [-1, *sorted(keep), 1 << 16]
    for low, high in itertools.pairwise(edges):
        if high > low + 1:  # closerange(0, 0) closes everything
            os.closerange(low + 1, high)


def _drop_capabilities() -> None:
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    _LIBC.capset(ctypes.byref(header), ctypes.byref(none))
