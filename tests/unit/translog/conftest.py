"""A small log to test against: records, a signer, a seal that can be opened, a writer on a temporary SQLite file."""

import hmac
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from translog.entries import Batch, Commitment, Entry, Keys, NextOffset, Record, Source
from translog.log import Log
from translog.note import Signer, Verifier
from translog.sqlite import SqliteDatabase

NOW_MS = 1_795_000_000_000
TOPIC = "finmesh.audit.v1.AuditBatch"


def reverse(content: bytes) -> bytes:
    """Stands for encryption, which has a suite of its own: not the identity, and it can be undone."""
    return content[::-1]


def commit(content: bytes) -> list[Commitment]:
    """A ring of one key."""
    return [Commitment("k-1", hmac.digest(b"key 1", content, "sha256"))]


@pytest.fixture(scope="session")
def signer() -> Signer:
    return Signer("audit.finmesh.test/log", bytes(range(32)))


@pytest.fixture(scope="session")
def verifiers(signer: Signer) -> list[Verifier]:
    return [signer.verifier]


@pytest.fixture(scope="session")
def record() -> Callable[..., Record]:
    def make(n: int, *, body: bytes = b"", tenant: str = "bank-a") -> Record:
        source = Source(TOPIC, 0, "topic-id", n)
        return Record(body or f"id-{n}|req-{n // 2}|dec-{n // 3}|{tenant}|record {n} 转账".encode(), keys(n, tenant), source)

    def keys(n: int, tenant: str) -> Keys:
        return Keys(f"id-{n}", f"req-{n // 2}", f"dec-{n // 3}", tenant)

    return make


@pytest.fixture(scope="session")
def keys_of() -> Callable[[bytes], Keys]:
    """Codec of the records of `record`."""
    return lambda body: Keys(*body.decode().split("|")[:4])


@pytest.fixture(scope="session")
def batch_of(record: Callable[..., Record]) -> Callable[..., Batch]:
    def make(*numbers: int, entries: tuple[Entry, ...] = (), received_ms: int = NOW_MS) -> Batch:
        offsets = (NextOffset(TOPIC, 0, "topic-id", max(numbers) + 1),) if numbers else ()
        return Batch((*(record(n) for n in numbers), *entries), received_ms, offsets)

    return make


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.db"


@pytest.fixture
def open_log(path: Path, signer: Signer) -> Iterator[Callable[..., Log]]:
    """Opens the writer of `path` (or another file); closes what is open at the end."""
    databases: list[SqliteDatabase] = []

    def make(file: Path = path, **options: object) -> Log:
        database = SqliteDatabase.open_writer(file)
        databases.append(database)
        return Log.open(database, **{"signer": signer, "seal": reverse, "commit": commit, "now_ms": NOW_MS, **options})  # type: ignore[arg-type]

    make.close = lambda: [database.close() for database in databases]  # type: ignore[attr-defined]
    yield make
    for database in databases:
        database.close()
