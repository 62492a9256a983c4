from __future__ import annotations

import pytest
from simbank.history import History, build_history
from simbank.population import Population, build_population

START_DAY = 20_600


@pytest.fixture(scope="session")
def population() -> Population:
    return build_population(3_000, seed=7)


@pytest.fixture(scope="session")
def history(population: Population) -> History:
    return build_history(population, start_day=START_DAY, days=21)
