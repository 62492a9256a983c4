"""Fixtures every test may use; nothing starts before a test asks for it."""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.stack import PrivateRedis, Stack

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")  # how long an example takes judges nothing


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Kafka, Triton, Zipkin of this run, each started on first use, in a folder as people have them."""
    stack = Stack(tmp_path_factory.mktemp("stack") / "我的 文件")
    yield stack
    stack.close()


@pytest.fixture
def topic_prefix() -> str:
    """Goes before every topic, group and transactional id of one test."""
    return f"test-{uuid.uuid4().hex[:10]}."


@pytest.fixture
async def provisioned(stack: Stack, topic_prefix: str) -> AsyncIterator[str]:
    """The topics of deploy/topics.yaml exist under the prefix that this gives."""
    from provisioning.broker import provision
    from provisioning.topics import load

    await provision(stack.kafka, load(stack.places.topics), topic_prefix)
    yield topic_prefix


@pytest.fixture
def private_redis(stack: Stack, tmp_path: Path) -> Iterator[PrivateRedis]:
    """A running redis-server of this test alone, with `url`, `kill()`, `start()` and `wipe()`."""
    server = PrivateRedis(stack.redis_server, tmp_path / "redis")
    server.start()
    yield server
    server.kill()
