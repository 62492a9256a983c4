"""The bytes of 10,000 decisions, as they were on the day this file was made: whatever is rebuilt around the decision must not change one.

Clock, keys and trace ids are fixed; the shipped model, rules, channels and rates decide, through the stream's own handler and a real Redis.
Surprising: the transactions have a digest of their own, so that a changed generator is not mistaken for a changed decision. A new model,
rule set, rate table or feature schema changes decisions on purpose: then, and only then, is golden_decisions.json written anew.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from finmesh.risk.v1.decision_pb2 import OUTCOME_APPROVE, OUTCOME_CHALLENGE, OUTCOME_DECLINE, OUTCOME_REVIEW, TransactionDecided
from finmesh.risk.v1.transaction_pb2 import TransactionAuthorizationRequested
from meshkit.telemetry.context import TraceContext, to_header
from risk_scoring.adapters.onnx_model import OnnxModel
from risk_scoring.domain.lists import ListChange, ListedEntity, ListKind, ListSnapshot
from simbank.history import build_history
from simbank.population import build_population
from simbank.translate import Translator

from tests.protocol.desks import TOPICS, desk, model_files, record

GOLDEN = Path(__file__).with_name("golden_decisions.json")
COUNT, BATCH, PART = 10_000, 250, 1_000
SEED, CUSTOMERS, DAY, DAYS, FRAUD_RATE = 20_261_128, 1_200, 20_716, 4, 0.15
LISTED = 20


def transactions() -> list[bytes]:
    """Some simulated days with much fraud in them, in the order of time."""
    population = build_population(CUSTOMERS, seed=SEED)
    rows = build_history(population, start_day=DAY, days=DAYS, fraud_rate=FRAUD_RATE).transactions
    translator = Translator(population, run=SEED)
    return [translator.request(rows, row).SerializeToString(deterministic=True) for row in range(COUNT)]


def listed(requests: list[TransactionAuthorizationRequested]) -> ListSnapshot:
    """Accounts that are blocked and payees that are trusted, of the first transactions."""
    found = ListSnapshot()
    for each in requests[:LISTED]:
        found = found.apply(ListChange(each.tenant, ListKind.BLOCK, ListedEntity.ACCOUNT, each.account_id, "", 4e9, "golden"))
    for each in [each for each in requests if each.counterparty_account_id][LISTED : 2 * LISTED]:
        payee = each.counterparty_account_id
        found = found.apply(
            ListChange(each.tenant, ListKind.TRUSTED_PAYEE, ListedEntity.COUNTERPARTY, payee, each.customer_id, 4e9, "golden")
        )
    return found


def headers(number: int) -> list[tuple[str, bytes]]:
    """A trace of its own for each transaction; one in ten is sampled."""
    return [to_header(TraceContext(0xF1 << 120 | number + 1, number + 1, number % 10 == 0))]


def digest(values: Iterable[bytes]) -> str:
    """SHA-256 over values, each after its length in four bytes."""
    state = hashlib.sha256()
    for value in values:
        state.update(len(value).to_bytes(4, "big") + value)
    return state.hexdigest()


async def test_the_bytes_of_ten_thousand_decisions(private_redis) -> None:
    sent = transactions()
    requests = [TransactionAuthorizationRequested.FromString(value) for value in sent]
    decided: list[bytes] = []
    async with desk(private_redis, served=OnnxModel(model_files())) as here:  # the very graph that Triton serves
        here.policies.lists_changed(listed(requests))
        for first in range(0, COUNT, BATCH):
            clock = here.shelf.clock
            clock.advance(requests[first + BATCH - 1].event_time.seconds + 1 - clock.now_s())
            batch = [record(sent[n], offset=n, headers=headers(n)) for n in range(first, first + BATCH)]
            messages = await here.stream.handle(0, batch)
            decided += [message.value for message in messages if message.topic == TOPICS.decisions]
    assert len(decided) == COUNT
    outcomes = Counter(TransactionDecided.FromString(value).outcome for value in decided)
    assert min(outcomes.get(each, 0) for each in (OUTCOME_APPROVE, OUTCOME_CHALLENGE, OUTCOME_REVIEW, OUTCOME_DECLINE)) > 0, outcomes
    found = {
        "transactions": digest(sent),
        "decisions": digest(decided),
        "decisions_by_thousand": [digest(decided[first : first + PART]) for first in range(0, COUNT, PART)],
    }
    assert found == json.loads(GOLDEN.read_text()), json.dumps(found, indent=2)
