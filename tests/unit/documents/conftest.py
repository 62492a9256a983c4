"""One sandbox for all tests of documents: they read as a service does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from documents.limits import Limits
from documents.parsed import Parsed
from documents.sandbox import Sandbox

Result = TypeVar("Result")
Parse = Callable[..., Parsed]


@pytest.fixture(scope="session")
def loop() -> Iterator[Callable[[Coroutine[Any, Any, Result]], Result]]:
    """Runs coroutines on a loop of its own, which outlives tests."""
    running = asyncio.new_event_loop()
    thread = threading.Thread(target=running.run_forever)
    thread.start()
    yield lambda work: asyncio.run_coroutine_threadsafe(work, running).result(300)
    running.call_soon_threadsafe(running.stop)
    thread.join()
    running.close()


@pytest.fixture(scope="session")
def sandbox(loop: Callable[..., Any]) -> Iterator[Sandbox]:
    """With recognition, which starts when it is first needed."""

    async def opened() -> Sandbox:
        return await Sandbox(Limits(cpu_s=6, wall_s=90)).__aenter__()

    entered = loop(opened())
    yield entered
    loop(entered.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def parse(loop: Callable[..., Any], sandbox: Sandbox) -> Parse:
    """Parse bytes under a name."""

    def parsed(content: bytes | Path, name: str = "x.txt", media_type: str = "") -> Parsed:
        return loop(sandbox.parse(content, name, media_type))

    return parsed
