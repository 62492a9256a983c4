"""Transactions combined one at a time and together give the same drafts, field by field, whatever channel, list, score or rule they meet
."""

from __future__ import annotations

import numpy as np
from finmesh.risk.v1.transaction_pb2 import TransactionAuthorizationRequested
from meshkit.telemetry.context import TraceContext
from risk_scoring import translate
from risk_scoring.adapters.file_policies import FilePolicies
from risk_scoring.domain.combine import Combiner, Scores
from risk_scoring.domain.decision import OLD_SCHEMA, STREAM, Draft, Request
from risk_scoring.domain.features import COUNT

from tests.protocol import test_golden_decisions as golden
from tests.protocol.desks import RULES, Health, model_files
from tests.protocol.makers import identifier

N = 600


def drafts(combiner: Combiner, requests: list[Request], policies: FilePolicies, parts: int) -> list[tuple[Draft, Draft | None]]:
    """Drafts and milder drafts, so many requests at a time; scores from nothing over every threshold to certainty, some missing."""
    random = np.random.default_rng(16)
    vectors = np.abs(random.normal(size=(N, COUNT)) * np.logspace(-2, 3, COUNT)).astype(np.float32)
    vectors[::7] = np.nan
    values = random.choice([0.0, *model_files().thresholds.as_tuple(), 1.0, np.nan], N)
    found: list[tuple[Draft, Draft | None]] = []
    for n in range(0, N, parts):
        scores = Scores(values[n : n + parts], (), "1", bytes(32))
        extra = [(OLD_SCHEMA,) if number % 5 == 0 else () for number in range(n, n + parts)]
        made = combiner.combine(requests[n : n + parts], vectors[n : n + parts], scores, policies.current(), 1_790_000_000.25, extra)
        found += zip(*made, strict=True)
    return found


def test_the_same_drafts(monkeypatch) -> None:
    monkeypatch.setattr(golden, "COUNT", N)
    sent = [TransactionAuthorizationRequested.FromString(value) for value in golden.transactions()]
    files, health = model_files(), Health()
    policies = FilePolicies(
        RULES / "anti-fraud.json", RULES / "channels.yaml", RULES / "rates.yaml", files.thresholds, health, None, files.card_sha256
    )  # type: ignore[arg-type]
    policies.lists_changed(golden.listed(sent))
    transactions = [translate.transaction(each) for each in sent]
    identify = identifier()
    requests = [Request(each, identify.observation(each), TraceContext(1, 1, False), STREAM) for each in transactions]
    combiner = Combiner(files.paths, failed=policies.rules_failed)
    together, alone = drafts(combiner, requests, policies, 200), drafts(combiner, requests, policies, 1)
    assert alone == together
    assert {draft.recommended for draft, _ in alone} == {1, 2, 3, 4}
    assert any(milder is not None for _, milder in alone) and any(draft.rule_hits for draft, _ in alone)
    assert any(draft.blocked for draft, _ in alone) and any(draft.trusted for draft, _ in alone)
