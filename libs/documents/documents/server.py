"""The fork server, a process of its own: ``python -I -m documents.server parse|recognise FD``. It imports the parsers once, encloses
itself and forks one child for each document or image; the service talks to it over a socket of packets and to each child over a stream.

It reads nothing that comes from a document. Above a child stand the service, two processes that wait, and the server that forks, which is
the first of its process namespace: nothing in it outlives it.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from documents import work
from documents.confine import Isolation, address_space_bytes, confine, die_with_parent, enclose

PACKET_BYTES = 4_096


@dataclass(slots=True)
class Server:
    """What forks. ``children`` are those not reaped, by pid the number that the service gave them."""

    control: socket.socket
    duty: work.Duty
    base_bytes: int
    children: dict[int, int] = field(default_factory=dict)

    def run(self, isolation: Isolation) -> None:
        """Until the service closes its end."""
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(woken, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._tell(ready={"network": isolation.network, "processes": isolation.processes, "files": isolation.files})
        while True:
            readable, _, _ = select.select([self.control.fileno(), woken], [], [])
            if woken in readable:
                with contextlib.suppress(BlockingIOError):
                    os.read(woken, PACKET_BYTES)
                self._reap()
            if self.control.fileno() in readable and not self._obey():
                return

    def _tell(self, **message: object) -> None:
        self.control.send(json.dumps(message).encode())

    def _obey(self) -> bool:
        packet, descriptors, _, _ = socket.recv_fds(self.control, PACKET_BYTES, 2)
        if not packet:
            return False
        message = json.loads(packet)
        if "kill" in message:
            for pid in [pid for pid, number in self.children.items() if number == message["kill"]]:
                _kill(pid)
        else:
            self._fork(message, descriptors)
        return True

    def _fork(self, message: dict[str, Any], descriptors: list[int]) -> None:
        try:
            pid = os.fork()
        except OSError as error:
            pid = -1
            self._tell(exit=message["fork"], code=0, signal=0, failed=os.strerror(error.errno or 0))
        if pid == 0:
            self._be_child(message, descriptors)
        for each in descriptors:
            os.close(each)
        if pid > 0:
            self.children[pid] = message["fork"]

    def _be_child(self, message: dict[str, Any], descriptors: list[int]) -> None:
        """Never returns. Exits with 1 when the work raised, which it does only when nobody listens."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            os.setpgid(0, 0)
            die_with_parent()
            confine(
                descriptors,
                address_space=self.base_bytes + message["memory_bytes"],
                cpu_s=message["cpu_s"],
                open_files=message["open_files"],
            )
            channel, *files = descriptors
            with socket.socket(fileno=channel) as stream:
                work.do(self.duty, stream, files)
            code = 0
        finally:
            os._exit(code)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
                if ended.si_pid in self.children:
                    _kill(ended.si_pid)  # what it left in its group
                _, status, usage = os.wait4(ended.si_pid, 0)
                number = self.children.pop(ended.si_pid, None)
                if number is not None:
                    code = os.waitstatus_to_exitcode(status)
                    spent = round(usage.ru_utime + usage.ru_stime, 3)
                    self._tell(exit=number, code=max(code, 0), signal=max(-code, 0), cpu_s=spent, resident_kib=usage.ru_maxrss)


def _kill(pid: int) -> None:
    for kill in (os.killpg, os.kill):  # a child that just started has no group of its own yet
        with contextlib.suppress(OSError):
            kill(pid, signal.SIGKILL)


def main(duty: str, descriptor: str) -> None:
    """Keeper: imports, then forks who encloses itself (a process with threads can't, and onnxruntime has one), who forks the server."""
    die_with_parent()
    os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")  # read when numpy is imported
    with socket.socket(fileno=int(descriptor)) as control:
        chosen = work.DUTIES[duty]()
        base_bytes = address_space_bytes()
        _forked(lambda: _enclosed(control, chosen, base_bytes))


def _enclosed(control: socket.socket, duty: work.Duty, base_bytes: int) -> None:
    isolation = enclose()
    _forked(lambda: Server(control, duty, base_bytes).run(isolation))


def _forked(act: Callable[[], None]) -> None:
    """In a child that dies with this process, which waits for it."""
    pid = os.fork()
    if pid == 0:
        try:
            die_with_parent()
            act()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
