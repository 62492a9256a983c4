"""A ledger of each test, on SQLite and on PostgreSQL."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from localmesh.places import Places
from meshkit.testing.keys import payload_sealer
from rag.adapters.ledger.open import Ledger, ledger_at

from tests.ports.audit.postgres import PrivatePostgres, fetch


@pytest.fixture(scope="module")
def postgres() -> Iterator[PrivatePostgres]:
    server = PrivatePostgres(fetch(Places.default().stack))
    server.start()
    yield server
    server.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.stack)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / '账本' / 'ledger.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres").url()


@pytest.fixture
async def ledger(url: str) -> AsyncIterator[Ledger]:
    opened = ledger_at(url, payload_sealer())
    async with opened.store:
        yield opened
