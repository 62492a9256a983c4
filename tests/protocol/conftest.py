"""Fixtures of the protocol tests."""

import gc
import itertools
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from meshkit.config import KafkaSettings

from tests.protocol.loops import settings
from tests.stack import Stack


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Collect garbage behind a test with a broker, when its event loop is gone.

    aiokafka leaves futures of fenced producers unread, and Python 3.11 breaks off ast.parse (in a later test's report, say) when their
    finaliser formats a traceback in the middle of it.
    """
    yield
    if item.get_closest_marker("stack"):
        gc.collect()


@pytest.fixture
def fresh(stack: Stack, topic_prefix: str) -> Callable[..., Awaitable[KafkaSettings]]:
    """``await fresh()``: settings of an empty set of topics; each run of a check takes its own."""
    from provisioning.broker import provision
    from provisioning.topics import load

    numbers = itertools.count()

    async def made(**changes: Any) -> KafkaSettings:
        prefix = f"{topic_prefix}{next(numbers)}."
        await provision(stack.kafka, load(stack.places.topics), prefix)
        return settings(stack.kafka, prefix, **changes)

    return made
