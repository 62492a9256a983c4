"""A client that is being started when its owner is cancelled: it is closed whole, and never broken off in the middle."""

import asyncio

import pytest
from meshkit.events import clients


class Client:
    """Starts when ``answered`` is set; a start that is broken off leaves a connection that nobody closes."""

    def __init__(self) -> None:
        self.answered, self.starting = asyncio.Event(), asyncio.Event()
        self.left_open = False
        self.stopped_after_start: bool | None = None

    async def start(self) -> None:
        self.starting.set()
        try:
            await self.answered.wait()
        except asyncio.CancelledError:
            self.left_open = True
            raise

    async def stop(self) -> None:
        self.stopped_after_start = self.answered.is_set()


async def test_a_start_that_is_under_way_ends_before_the_client_is_closed() -> None:
    client = Client()
    owner = asyncio.create_task(clients.started(client))
    await client.starting.wait()
    owner.cancel()
    asyncio.get_running_loop().call_later(0.01, client.answered.set)
    with pytest.raises(asyncio.CancelledError):
        await owner
    assert not client.left_open
    assert client.stopped_after_start


async def test_a_broker_that_never_answers_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_STOP_S", 0.05)
    client = Client()
    owner = asyncio.create_task(clients.started(client))
    await client.starting.wait()
    owner.cancel()
    with pytest.raises(asyncio.CancelledError):
        await owner
    assert client.left_open
    assert client.stopped_after_start is False
