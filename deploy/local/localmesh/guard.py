"""Runs as `python -I -S guard.py <launcher pid> <command…>`: becomes the command, after asking the kernel to kill it with its launcher.

A launcher that is itself killed by SIGKILL can clean up nothing; PR_SET_PDEATHSIG survives exec and does it instead (Linux;
elsewhere this only execs). Not a `preexec_fn`, because running Python between fork and exec can deadlock in a process
with threads, and gRPC's fork handlers complain. Keep it free of imports: it costs start-up time for each process.
"""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Never returns: exec, or exit status 127 with the reason."""
    launcher, command = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != launcher:  # it died before the request took hold
            os._exit(1)
    try:
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error}\n")
        os._exit(127)


if __name__ == "__main__":
    main(sys.argv[1:])
