"""RPC ListModels: the models that a scenario may use and whose files are here."""

from __future__ import annotations

from collections.abc import Callable

from router import ports
from router.domain.fleet import Role
from router.domain.model import ServedModel
from router.domain.policy import Scenarios
from router.steps.pool import Pool


class ListModels:
    """See the module."""

    def __init__(self, scenarios: Callable[[], Scenarios], texts: ports.Texts, pool: Pool) -> None:
        self._scenarios = scenarios
        self._texts = texts
        self._pool = pool

    def __call__(self, scenario: str) -> list[tuple[ServedModel, bool]]:
        """Return the models by name, each with whether a worker can answer now. Raises NotFound (SCENARIO_UNKNOWN)."""
        listed = self._scenarios().get(scenario).models
        return [(model, self._pool.can_answer(Role.DECODE, model.digest)) for model in self._texts.models if model.name in listed]
