"""Work on a thread ends with whoever waits for it."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading

import pytest
from meshkit.threads import Look, on_thread


class Busy:
    """Works until it is told that nobody waits."""

    def __init__(self) -> None:
        self.began, self.ended = threading.Event(), threading.Event()

    def __call__(self, look: Look) -> None:
        self.began.set()
        try:
            while True:
                look()
        finally:
            self.ended.set()


async def test_it_answers_and_raises_as_the_work_does() -> None:
    def fails(_: Look) -> None:
        raise ValueError("x")

    assert await on_thread(lambda look: (look(), 7)[1]) == 7
    with pytest.raises(ValueError):
        await on_thread(fails)


async def test_a_cancelled_wait_ends_the_work() -> None:
    busy = Busy()
    waiting = asyncio.create_task(on_thread(busy))
    assert await asyncio.to_thread(busy.began.wait, 10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await asyncio.to_thread(busy.ended.wait, 10)


async def test_a_deadline_ends_the_work() -> None:
    busy = Busy()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await on_thread(busy)
    assert await asyncio.to_thread(busy.ended.wait, 10)


PROGRAM = textwrap.dedent(
    """
    from meshkit.config import ServiceConfig
    from meshkit.rpc.server import MeshServer
    from meshkit.service import Service, run
    from meshkit.threads import on_thread

    def busy(look):
        print("busy", flush=True)
        while True:
            look()

    async def main():
        async with Service(ServiceConfig(shutdown_grace_s=0.2), "t") as service:
            service.task(on_thread(busy), endless=True)
            await service.run(MeshServer("127.0.0.1:0"))
        print("closed", flush=True)

    run(main())
    """
)


def test_a_process_with_work_on_a_thread_ends_at_sigterm() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], env=dict(os.environ), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "busy\n"
        process.send_signal(signal.SIGTERM)
        try:
            out, _ = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert (process.returncode, out) == (0, "closed\n")
