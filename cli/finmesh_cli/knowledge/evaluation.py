"""One evaluation: hand in, tune, ask on every pipeline, and only then open the judgements."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from finmesh_cli.knowledge import dataset, metrics
from finmesh_cli.knowledge.dataset import Document, Query

DEPTH = 100
WARM_UPS = 50
LEGS = ("lexical", "dense")
GIVEN = "fused_given_scope"
PIPELINES = (*LEGS, "fused_unscoped", "fused")

Say = Callable[[str, int, int], None]
"""What is being done, how many are done, of how many."""


class Knowledge(Protocol):
    """The service, as an evaluation uses it."""

    async def submit(self, document: Document) -> None:
        """Hand a document in."""
        ...

    async def settled(self, say: Callable[[int], None]) -> int:
        """Wait until everything handed in can be searched on both legs; return how many documents were kept out."""
        ...

    async def tune(self) -> Mapping[str, float]:
        """Have the service weigh its legs; return the dense leg's share by language, nothing where there is no dense leg."""
        ...

    async def search(self, question: str, pipeline: str, scope: str, depth: int) -> list[str]:
        """Return record ids, best first. pipeline: one of ``PIPELINES``; scope: a document's title, or empty."""
        ...


@dataclass(slots=True)
class Evaluated:
    """Rankings by pipeline, in the order of the queries, and what was timed."""

    queries: Sequence[Query]
    rankings: dict[str, list[list[str]]] = field(default_factory=dict)
    latencies_s: list[float] = field(default_factory=list)
    ingested_s: float = 0.0
    records: int = 0
    quarantined: int = 0
    weights: Mapping[str, float] = field(default_factory=dict)


async def evaluate(folder: Path, knowledge: Knowledge, say: Say) -> Evaluated:
    """Return the rankings of a data set. Nothing here reads the judgements. Raises DatasetError."""
    documents, queries = dataset.documents(folder), dataset.queries(folder)
    found = Evaluated(queries, records=sum(document.records for document in documents))
    began = time.perf_counter()
    for place, document in enumerate(documents, 1):
        await knowledge.submit(document)
        say("handing in", place, len(documents))
    found.quarantined = await knowledge.settled(lambda waiting: say("reading and encoding", len(documents) - waiting, len(documents)))
    found.ingested_s = time.perf_counter() - began
    say("weighing the legs", 0, 1)
    found.weights = await knowledge.tune()
    for query in queries[:WARM_UPS]:
        await knowledge.search(query.text, "fused", "", DEPTH)
    for pipeline in PIPELINES:
        found.rankings[pipeline] = []
        for place, query in enumerate(queries, 1):
            began = time.perf_counter()
            found.rankings[pipeline].append(await knowledge.search(query.text, pipeline, "", DEPTH))
            if pipeline == "fused":
                found.latencies_s.append(time.perf_counter() - began)
            say(pipeline, place, len(queries))
    if any(query.scope for query in queries):
        found.rankings[GIVEN] = []
        for place, query in enumerate(queries, 1):
            found.rankings[GIVEN].append(await knowledge.search(query.text, "fused", query.scope, DEPTH))
            say(GIVEN, place, len(queries))
    return found


def figures(found: Evaluated, folder: Path, wordpieces: int | None) -> dict[str, object]:
    """Open the judgements and return what the last line says."""
    relevant = dataset.judgements(folder)
    by_query = [relevant.get(query.query_id, {}) for query in found.queries]
    scores = {name: metrics.scored(rankings, by_query) for name, rankings in found.rankings.items()}
    best = max(LEGS, key=lambda leg: (scores[leg].figures()["ndcg10"], leg == LEGS[0]))
    said: dict[str, object] = {"legs": {leg: scores[leg].figures() for leg in LEGS}}
    for name in ("fused_unscoped", "fused", GIVEN):
        said[name] = {**scores[name].figures(), "gain": {"over": best, **scores[name].gain(scores[best])}} if name in scores else None
    latencies = sorted(found.latencies_s)
    return said | {
        "n_queries": sum(1 for grades in by_query if grades),
        "quarantined": found.quarantined,
        "p50_ms": _percentile_ms(latencies, 0.50),
        "p99_ms": _percentile_ms(latencies, 0.99),
        "passages_per_s": round(found.records / found.ingested_s, 1) if found.ingested_s else None,
        "wordpieces_per_s": None if wordpieces is None or not found.ingested_s else round(wordpieces / found.ingested_s, 1),
        "weights": dict(found.weights),
    }


def _percentile_ms(ordered: Sequence[float], share: float) -> float | None:
    return round(ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000, 2) if ordered else None
