"""Merchants and their terminals, and which of them a customer prefers.

Surprising: a tenth of the merchants is `weak` (old terminals, no checks at the till): fraud returns to them, so that a merchant's past says
something about its future. Preference is popularity times nearness with a random affinity (Gumbel top-k: a draw without replacement).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from simbank.categories import CASH_MACHINE, CATEGORIES, ONLINE, WEIGHT
from simbank.regions import REGION_POSITION, REGION_WEIGHT
from simbank.schema import F64, I16, I32, I64, Bool

Kind = Literal["shop", "online", "cash"]
_CHUNK = 2_000
_NEAR_DEGREES = 0.1


@dataclass(frozen=True)
class Merchants:
    """One row a merchant; its terminals are numbered from `first_terminal`. An internet shop's terminals are its payment pages."""

    category: I16
    region: I16
    position: F64  # (M, 2) degrees
    online: Bool
    weak: Bool
    popularity: F64
    price_scale: F64
    first_terminal: I32
    terminals: I32
    local: tuple[I32, ...]  # per region: its shops, most popular first
    local_cash: tuple[I32, ...]  # per region: its cash machines, most popular first

    def __len__(self) -> int:
        return len(self.region)

    @property
    def terminal_count(self) -> int:
        """All terminals of all merchants."""
        return int(self.first_terminal[-1] + self.terminals[-1])

    def of_kind(self, kind: Kind) -> I64:
        """Numbers of the merchants of one kind."""
        cash = self.category == CASH_MACHINE
        return np.flatnonzero(cash if kind == "cash" else self.online & ~cash if kind == "online" else ~self.online & ~cash)

    def pick_terminal(self, merchant: I32, luck: F64) -> I32:
        """A terminal of each merchant, chosen by `luck` in [0, 1)."""
        return (self.first_terminal[merchant] + (luck * self.terminals[merchant]).astype(np.int32)).astype(np.int32)


def build_merchants(count: int, rng: np.random.Generator) -> Merchants:
    """Draw `count` merchants; each region has at least four shops and two cash machines, whatever its size."""
    regions = len(REGION_WEIGHT)
    region = rng.choice(regions, size=count, p=REGION_WEIGHT).astype(np.int16)
    category = rng.choice(len(CATEGORIES), size=count, p=WEIGHT / WEIGHT.sum()).astype(np.int16)
    floor = np.repeat(np.arange(regions, dtype=np.int16), 6)
    region[: len(floor)] = floor
    category[: len(floor)] = np.tile(np.array([0, 1, 2, 3, CASH_MACHINE, CASH_MACHINE], dtype=np.int16), regions)
    online = rng.random(count) < ONLINE[category]
    online[: len(floor)] = False
    popularity = rng.pareto(1.3, count) + 0.2
    terminals = np.minimum(1 + (popularity * 1.5).astype(np.int32), 12).astype(np.int32)
    by_popularity = np.argsort(-popularity, kind="stable").astype(np.int32)
    shops = by_popularity[(~online & (category != CASH_MACHINE))[by_popularity]]
    cash = by_popularity[(category == CASH_MACHINE)[by_popularity]]
    return Merchants(
        category=category,
        region=region,
        position=REGION_POSITION[region] + rng.normal(scale=0.12, size=(count, 2)),
        online=online,
        weak=rng.random(count) < 0.1,
        popularity=popularity,
        price_scale=rng.lognormal(0.0, 0.3, count),
        first_terminal=(np.cumsum(terminals) - terminals).astype(np.int32),
        terminals=terminals,
        local=tuple(shops[region[shops] == code] for code in range(regions)),
        local_cash=tuple(cash[region[cash] == code] for code in range(regions)),
    )


def nearest_merchants(merchants: Merchants, region: I16, position: F64, count: int, rng: np.random.Generator, *, kind: Kind) -> I32:
    """Preferred merchants of each customer, (customers, count), best first. Internet shops are equally near to everyone."""
    chosen = np.empty((len(region), count), dtype=np.int32)
    everywhere = merchants.of_kind(kind)
    for code in np.unique(region):
        near = everywhere if kind == "online" else everywhere[merchants.region[everywhere] == code]
        here = np.flatnonzero(region == code)
        for start in range(0, len(here), _CHUNK):
            rows = here[start : start + _CHUNK]
            score = np.log(merchants.popularity[near]) + rng.gumbel(size=(len(rows), len(near)))
            if kind != "online":
                offset = position[rows][:, None, :] - merchants.position[near][None, :, :]
                score -= np.sqrt((offset**2).sum(axis=2)) / _NEAR_DEGREES
            best = np.argsort(-score, axis=1)[:, :count]
            chosen[rows] = near[best[:, np.arange(count) % best.shape[1]]]
    return chosen
