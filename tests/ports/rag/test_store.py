"""The database behind the ledger may be slow, locked or silent: nobody waits for ever, and the end of the process least of all."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from meshkit.errors import Unavailable
from meshkit.testing.keys import payload_sealer
from rag.adapters.ledger import postgresql, store
from rag.adapters.ledger.database import Connection
from rag.adapters.ledger.open import Ledger, ledger_at

FOR_EVER = {
    "sqlite": "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT MAX(x) FROM n",
    "postgresql": "SELECT pg_sleep(1e9)",
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("way", ["read", "write"])
async def test_the_end_breaks_off_what_runs_on(url: str, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setattr(store, "_GRACE_S", 0.05)
    opened, begun, loop = ledger_at(url, payload_sealer()), asyncio.Event(), asyncio.get_running_loop()

    def work(connection: Connection) -> None:
        connection.query("SELECT 1")
        loop.call_soon_threadsafe(begun.set)
        connection.query(FOR_EVER[url.partition(":")[0]])

    async with opened.store:
        call = opened.store.read if way == "read" else opened.store.write
        running, waiting = asyncio.create_task(call(work)), asyncio.create_task(begun.wait())
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    with pytest.raises(Unavailable) as ended:
        await running
    assert ended.value.reason == "LEDGER_UNAVAILABLE"


@pytest.mark.stack
@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_a_writer_that_never_ends_is_not_waited_for(ledger: Ledger, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "_BUSY_MS", 100)
    await ledger.workbench.lead("a", 10.0, 0)
    with psycopg.connect(url) as another:
        another.execute("SELECT pg_advisory_lock(%s)", (postgresql._LOCK,))
        opened = ledger_at(url, payload_sealer())
        async with opened.store:
            with pytest.raises(Unavailable) as busy:
                await opened.workbench.lead("b", 10.0, 20_000_000)
            assert busy.value.reason == "LEDGER_UNAVAILABLE"
            another.execute("SELECT pg_advisory_unlock(%s)", (postgresql._LOCK,))
            await opened.workbench.lead("b", 10.0, 20_000_000)
