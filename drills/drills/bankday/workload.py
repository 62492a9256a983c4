"""What one run sends: every transaction of a compressed day once, and by which way.

Most come on the stream. A tenth is asked for synchronously; some of those are on the stream as well, before, after or at the same
moment: the same transaction must get the same decision by both ways. Surprising: the day keeps its own spacing and ended just now, so
most event times lie hours back, inside the dedupe horizon (24 h) because a younger span than that is used.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from simbank.driver.headers import trace_id_of
from simbank.history import build_history
from simbank.labels import Labels, report_labels
from simbank.lifecycle import Reports, report_lifecycle
from simbank.population import build_population
from simbank.replay import Replay, plan_replay
from simbank.schema import DAY_US, I64, Bool, Transactions
from simbank.translate import Translator

from drills.bankday.past import Past

SEED = 7
SYNC_SHARE = 0.10
BOTH_SHARE = 0.40  # of the synchronous ones
ORDERS = ("stream first", "call first", "at once")
APART_US = 300_000
EVENT_SPAN_S = 20 * 3600.0
DUPLICATE_SHARE = 0.01
_ROWS_PER_CUSTOMER = 2.2
_MIN_CUSTOMERS = 2_000
_PAST_ROWS, _PAST_DAYS = 40_000, 20


@dataclass(frozen=True)
class Bank:
    """A bank, one day of it, enough for the run, and the days before. `run` salts identities and traces."""

    run: int
    translator: Translator
    day: Transactions
    past: Past


@dataclass(frozen=True)
class Workload:
    """`plan` holds every transaction once; `stream` and `calls` are the parts of it that go each way, at their own times."""

    plan: Replay
    stream: Replay
    calls: Replay
    both: dict[str, int]  # transactions that go both ways, by order
    labels: Labels  # rows index plan.rows
    reports: Reports
    run: int

    def trace_of(self, part: Replay) -> list[bytes]:
        """Trace ids of a part's rows: how a decision is matched with its request, whichever way it came."""
        return [trace_id_of(self.run, int(number)) for number in part.rows.transaction_id]


def build_bank(wanted: int, run: int) -> Bank:
    """A bank whose day has at least `wanted` transactions, and as long a past as can be imported in some ten seconds."""
    customers = max(_MIN_CUSTOMERS, int(wanted / _ROWS_PER_CUSTOMER) + 1)
    population = build_population(customers, seed=SEED)
    yesterday = int(datetime.now(UTC).timestamp() * 1e6) // DAY_US - 1
    before = min(max(int(_PAST_ROWS / (customers * _ROWS_PER_CUSTOMER)), 1), _PAST_DAYS)
    history = build_history(population, start_day=yesterday - before, days=before + 1)
    rows, begin_us = history.transactions, yesterday * DAY_US
    earlier = rows.event_time_us < begin_us
    past = Past(rows.take(earlier), history.labels, begin_us)
    return Bank(run, Translator(population, run=run), rows.take(~earlier), past)


def plan(bank: Bank, *, rate_per_s: float, seconds: float, start_us: int) -> Workload:
    """Schedule the run from `start_us` on."""
    whole = plan_replay(bank.day, rate_per_s=rate_per_s, seconds=seconds, start_us=start_us, event_span_s=EVENT_SPAN_S)
    rng = np.random.default_rng([SEED, bank.run & 0xFFFF_FFFF])
    called = rng.random(len(whole)) < SYNC_SHARE
    both = called & (rng.random(len(whole)) < BOTH_SHARE)
    order = rng.integers(0, len(ORDERS), len(whole))
    return Workload(
        plan=whole,
        stream=_stream(whole, called, both, order),
        calls=whole.part(np.flatnonzero(called)),
        both={name: int((both & (order == code)).sum()) for code, name in enumerate(ORDERS)},
        labels=report_labels(whole.rows, rng),
        reports=report_lifecycle(whole.rows, rng),
        run=bank.run,
    )


def _stream(whole: Replay, called: Bool, both: Bool, order: I64) -> Replay:
    """Rows of the stream; those that go both ways a moment before or after their call."""
    shift = np.where(both, np.array([-APART_US, APART_US, 0])[order], 0)
    intended = np.maximum(whole.intended_us + shift, whole.start_us)
    chosen = np.flatnonzero(~called | both)
    chosen = chosen[np.argsort(intended[chosen], kind="stable")]
    return replace(whole.part(chosen), intended_us=intended[chosen])
