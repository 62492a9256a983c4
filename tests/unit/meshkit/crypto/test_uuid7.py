"""UUIDv7 ids grow with time."""

import time
import uuid

from meshkit.crypto.keyed_ids import uuid7


def test_version_variant_and_time() -> None:
    before_ms = time.time_ns() // 1_000_000
    made = uuid.UUID(uuid7())
    after_ms = time.time_ns() // 1_000_000
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before_ms <= made.int >> 80 <= after_ms


def test_ids_differ() -> None:
    assert len({uuid7() for _ in range(1000)}) == 1000
