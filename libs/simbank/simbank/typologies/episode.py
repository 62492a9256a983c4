"""What every typology is given, and the draws they share.

Fraudsters pick victims by activity (a busy card leaks more often) and work at any hour, a little more by night.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simbank.population import BUSINESS, Population
from simbank.schema import DAY_US, F64, HOUR_US, I32, I64, Transactions

Injector = Callable[["Scene", float], Transactions]
"""Takes the scene and the number of fraudulent rows wanted on average; returns rows marked as fraud, episodes numbered from 0."""


@dataclass(frozen=True)
class Scene:
    """Genuine days to inject into, and this typology's own source of randomness."""

    population: Population
    genuine: Transactions
    start_day: int
    days: int
    rng: np.random.Generator

    def episodes(self, budget: float, mean_size: float) -> int:
        """How many episodes make up `budget` rows, Poisson distributed."""
        return int(self.rng.poisson(budget / mean_size))

    def victims(self, count: int) -> I32:
        """Customers drawn by activity; companies are left out."""
        people = self.population.customers
        weight = np.where(people.segment == BUSINESS, 0.0, people.daily_rate)
        return self.rng.choice(len(people), size=count, p=weight / weight.sum()).astype(np.int32)

    def mules(self, count: int) -> I32:
        """Accounts of customers who lend them, a few of them drawn again and again."""
        mules = np.flatnonzero(self.population.customers.mule)
        return mules[(self.rng.random(count) ** 1.5 * len(mules)).astype(np.int64)].astype(np.int32)

    def instants(self, count: int) -> I64:
        """Moments within the days at which fraudsters begin."""
        day = self.start_day + self.rng.integers(0, self.days, count)
        night = self.rng.random(count) < 0.35
        hour = np.where(night, self.rng.uniform(15.0, 22.0, count), self.rng.uniform(0.0, 16.0, count))  # UTC: 23 to 6 in China
        return np.asarray(day * DAY_US + (hour * HOUR_US).astype(np.int64), dtype=np.int64)

    def strange_devices(self, count: int) -> I32:
        """Devices of fraud rings: shared ones, reused from episode to episode, that genuine guests use as well."""
        first, end = self.population.first_shared_device, self.population.devices
        return (first + (self.rng.random(count) ** 1.5 * (end - first)).astype(np.int32)).astype(np.int32)

    def online_merchants(self, count: int, *, weak_share: float) -> I32:
        """Internet shops; `weak_share` of the draws falls on those without checks."""
        merchants = self.population.merchants
        online = merchants.of_kind("online")
        weak = online[merchants.weak[online]] if merchants.weak[online].any() else online
        chosen = np.where(self.rng.random(count) < weak_share, self.rng.choice(weak, count), self.rng.choice(online, count))
        return chosen.astype(np.int32)


def spread(start_us: I64, sizes: I64, mean_gap_us: float, rng: np.random.Generator) -> tuple[I64, I64]:
    """Times of `sizes[i]` rows after each start with exponential gaps; returns (episode index, time), both of length sum(sizes)."""
    episode = np.repeat(np.arange(len(sizes)), sizes)
    gaps = rng.exponential(mean_gap_us, len(episode))
    total: F64 = np.cumsum(gaps)
    before = np.concatenate([[0.0], total])[np.cumsum(sizes) - sizes]
    return episode, (start_us[episode] + (total - before[episode])).astype(np.int64)


def step_of(sizes: I64) -> I64:
    """0, 1, 2 ... within each episode, concatenated."""
    return np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
