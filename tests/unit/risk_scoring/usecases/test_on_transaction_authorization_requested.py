"""What a batch owes the store before it is committed: nothing when nothing of it was decided."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from risk_scoring.ports import StoreForgotten
from risk_scoring.steps.timeline import Timeline
from risk_scoring.usecases.on_transaction_authorization_requested import OnTransactionAuthorizationRequested


class Store:
    generation = "one"

    async def confirm(self, generation: str) -> None:
        if generation != self.generation:
            raise StoreForgotten("another generation")


class Neighbour:
    """Decider, restorer and recall that have nothing to do."""

    async def decide(self, requests: Any, **_: Any) -> list[Any]:
        return []

    async def take_over(self, partition: int) -> None:
        pass

    async def batch(self, partition: int, verdicts: list[Any]) -> list[Any]:
        return verdicts

    def forget(self, partition: int) -> None:
        pass


async def test_a_first_batch_of_dead_letters_alone_is_committed_and_a_decided_one_is_compared() -> None:
    store = Store()
    usecase = OnTransactionAuthorizationRequested(cast(Any, Neighbour()), cast(Any, Neighbour()), cast(Any, store), cast(Any, Neighbour()))
    await usecase.assigned(3)
    await usecase.confirm(3)
    await usecase.decide([cast(Any, SimpleNamespace(partition=3))], {}, Timeline())
    await usecase.confirm(3)
    store.generation = "two"
    with pytest.raises(StoreForgotten):
        await usecase.confirm(3)
    await usecase.assigned(3)
    await usecase.confirm(3)
