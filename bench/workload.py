"""A bank and as many of its transactions as a benchmark wants, cut into parts that share no transaction.

Surprising: event times of the whole are laid over the last 20 hours in their own order, whatever the parts are and whenever they are sent:
a customer's transactions lie hours apart as in life, so that tiles close, windows move and peers age as they do in a bank.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from simbank.history import build_history
from simbank.population import TENANTS, build_population
from simbank.replay import Replay
from simbank.schema import DAY_US, Transactions
from simbank.translate import Translator

SEED = 7
EVENT_SPAN_US = 20 * 3_600_000_000
_ROWS_PER_CUSTOMER_DAY = 2.4


@dataclass
class Bank:
    """`rows` in the order of time; `take` hands each of them out once."""

    translator: Translator
    rows: Transactions
    customers: int
    taken: int = 0

    def take(self, count: int, *, rate_per_s: float, start_us: int) -> Replay:
        """The next `count` transactions, to be sent from `start_us` on. Raises LookupError when there are not so many left."""
        if self.taken + count > len(self.rows):
            raise LookupError(f"the bank has {len(self.rows)} transactions, {self.taken + count} are wanted: raise --customers")
        rows = self.rows.take(np.arange(self.taken, self.taken + count))
        self.taken += count
        intended = start_us + (np.arange(count) * (1e6 / rate_per_s)).astype(np.int64)
        return Replay(rows, intended, start_us, rate_per_s)


def build_bank(customers: int, transactions: int, run: int, tenant: str | None = None) -> Bank:
    """A bank with at least `transactions` to hand out, of one tenant when that is named."""
    population = build_population(customers, seed=SEED)
    tenants = list(TENANTS)
    share = 1.0 if tenant is None else float((population.customers.tenant == tenants.index(tenant)).mean())
    days = int(transactions / (customers * share * _ROWS_PER_CUSTOMER_DAY)) + 1
    today = int(datetime.now(UTC).timestamp() * 1e6) // DAY_US
    rows = build_history(population, start_day=today - days, days=days).transactions
    if tenant is not None:
        rows = rows.take(rows.tenant == tenants.index(tenant))
    now_us = time.time_ns() // 1_000
    first, last = int(rows.event_time_us[0]), int(rows.event_time_us[-1])
    squeeze = min(EVENT_SPAN_US / max(last - first, 1), 1.0)
    rows = rows.replace(event_time_us=now_us - ((last - rows.event_time_us) * squeeze).astype(np.int64))
    return Bank(Translator(population, run=run), rows, customers)
