"""Fixtures of the protocol tests."""

import itertools
from collections.abc import Callable

import pytest
from meshkit.config import KafkaSettings

from tests.protocol.loops import settings
from tests.stack import Stack

KafkaFactory = Callable[[], KafkaSettings]


@pytest.fixture
def fresh(stack: Stack, topic_prefix: str) -> Callable[..., object]:
    """``await fresh()``: settings of an empty set of topics; each run of a check takes its own."""
    from localmesh.provision import provision
    from localmesh.topics import load

    numbers = itertools.count()

    async def made(**changes: object) -> KafkaSettings:
        prefix = f"{topic_prefix}{next(numbers)}."
        await provision(stack.kafka, load(stack.places.topics), prefix)
        return settings(stack.kafka, prefix, **changes)

    return made
