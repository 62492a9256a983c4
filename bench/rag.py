"""Retrieval and ingestion beside the bare encoder, in turns in the same run: a question to passages, documents to both legs, memory.

The encoder and Milvus Lite are processes of their own; ledger, lexical leg and the steps of rag run in this one, without gRPC and Kafka.
Surprising: this process stands for rag's two, so its resident memory holds what the bench itself needs, and lacks a second interpreter.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from finmesh_cli.knowledge import scratch
from finmesh_cli.knowledge.dataset import Document
from finmesh_cli.knowledge.evaluation import evaluate, figures
from localmesh import encoder as encoder_rows
from localmesh.places import Places
from localmesh.ports import LOOPBACK
from localmesh.servers import milvus_row
from meshkit.triton.client import TritonClient
from rag import ports
from rag.adapters.milvus_vectors import MilvusVectors
from rag.adapters.triton_encoder import TritonEncoder

from bench import rag_index, rag_ingest, rag_shelf
from bench.encoder import encode_s, latency_ms
from bench.rag_shelf import Shelf
from bench.report import Figures, Say, Target
from bench.site import Site, opened_with

MILVUS = "milvus"
WORDS = {
    "p50_ms_10k": "a question to its passages, the small shelf, median",
    "p50_ms_100k": "the same, the large shelf",
    "encoder_p50_ms": "the same questions through the bare encoder, in turns, median",
    "over_encoder_ms_10k": "small shelf over the bare encoder beside it",
    "over_encoder_ms_100k": "large shelf over the bare encoder beside it",
    "rss_mib_100k": "resident: Milvus, the encoder's Triton, this process, the large shelf",
    "passages_per_s": "passages from upload to both legs, 1/s",
    "encoder_passages_per_s": "the same passages through the bare encoder, in turns, 1/s",
    "ingest_ratio": "ingestion : bare encoder",
    "lexical_passages_per_s": "the lexical leg alone, given its passages, 1/s",
    "lexical_ingest_passages_per_s": "passages from upload to the lexical leg, no encoder, 1/s",
    "degraded": "answers that lacked a leg",
}
TARGETS = {
    "over_encoder_ms_10k": Target(max=15),
    "over_encoder_ms_100k": Target(max=60),
    "rss_mib_100k": Target(max=1_536),
    "ingest_ratio": Target(min=0.8),
    "lexical_passages_per_s": Target(min=2_000),
    "degraded": Target(max=0),
}
_ROUND, _WARM_UPS = 20, 50
_NAN = float("nan")
_GC = (20_000, 20, 20)  # as services have it


@dataclass(frozen=True, slots=True)
class Plan:
    """Passages on the `small` and the `large` shelf (0: none) and to `ingest`, in so many documents; questions of each measurement.

    `sets`: folders in BEIR's format, to be evaluated; ingestion takes its passages from the first.
    """

    small: int = 10_000
    large: int = 100_000
    ingest: int = 1_024
    documents: int = 4
    questions: int = 200
    sets: Sequence[Path] = ()


@dataclass(slots=True)
class Asked:
    """Milliseconds of questions, whole and through the bare encoder; answers that lacked a leg."""

    whole_ms: list[float] = field(default_factory=list)
    bare_ms: list[float] = field(default_factory=list)
    degraded: int = 0

    def p50_ms(self) -> float:
        return _median(self.whole_ms)

    def over_encoder_ms(self) -> float:
        return _median(self.whole_ms) - _median(self.bare_ms)


async def measure(var: Path | None, plan: Plan, say: Say, usual: Places | None = None) -> Figures:
    """Run it. `usual`: places in place of the default. Raises StartError, LookupError."""
    gc.enable()
    gc.set_threshold(*_GC)
    async with (
        opened_with(var, lambda places, at: [milvus_row(places, at), encoder_rows.encoder_row(places, at)], usual) as site,
        TritonClient(f"{LOOPBACK}:{site.ports.triton_encoder_grpc}") as client,
    ):
        encoder = TritonEncoder(client, site.places.encoder_model, timeout_s=60.0)

        def vectors(prefix: str) -> MilvusVectors:
            uri = f"http://{LOOPBACK}:{site.ports.milvus}"
            return MilvusVectors(uri, "", prefix, identity=encoder.identity, dimension=encoder.dimension, timeout_s=60.0)

        values = dict.fromkeys(WORDS, _NAN)
        async with vectors("shelf") as dense, rag_shelf.opened(site.places.var / "shelf", dense, encoder) as shelf:
            values |= await shelves(shelf, encoder, plan, say, lambda: _resident_mib(site))
        folder = site.places.var / "ingestion"
        async with vectors("ingestion") as dense, rag_ingest.opened(folder / "both", dense, encoder) as ingestion:
            values |= await ingested(ingestion, encoder, plan, say)
        async with rag_ingest.opened(folder / "lexical", None, None) as ingestion:
            values["lexical_ingest_passages_per_s"] = await lexical_ingested(ingestion, plan)
    return Figures("retrieval beside the bare encoder", values, TARGETS, WORDS)


async def evaluated(folder: Path, say: Say) -> Mapping[str, object]:
    """Return what `make eval-rag` says of a data set, in processes of its own. Raises DatasetError, StartError."""
    async with scratch.opened() as knowledge:
        found = await evaluate(folder, knowledge, _under(folder.name, say))
    return figures(found, folder, None)


async def shelves(shelf: Shelf, encoder: ports.Encoder, plan: Plan, say: Say, resident_mib: Callable[[], float]) -> dict[str, float]:
    """Fill a shelf and ask, twice. `resident_mib` is asked with the large one full, after its questions."""
    questions = rag_index.questions(plan.questions)
    values: dict[str, float] = {}
    asked: list[Asked] = []
    for name, count in (("10k", plan.small), ("100k", plan.large)):
        if count:
            told = _under(f"{name} shelf", say)
            written_per_s = await shelf.fill(count, told)
            found = await in_turns(shelf, encoder, questions, told)
            values.setdefault("lexical_passages_per_s", written_per_s)
            values |= {f"p50_ms_{name}": found.p50_ms(), f"over_encoder_ms_{name}": found.over_encoder_ms()}
            asked.append(found)
    if plan.large:
        gc.collect()
        values["rss_mib_100k"] = resident_mib()
    values["encoder_p50_ms"] = _median([each for found in asked for each in found.bare_ms])
    values["degraded"] = float(sum(found.degraded for found in asked))
    return values


async def in_turns(shelf: Shelf, encoder: ports.Encoder, questions: Sequence[str], say: Say) -> Asked:
    """Ask twenty questions of the bare encoder, then the same of the shelf, and so on. The first questions are asked before, unmeasured."""
    found = Asked()
    for question in questions[:_WARM_UPS]:
        await shelf.ask(question)
    for at in range(0, len(questions), _ROUND):
        some = questions[at : at + _ROUND]
        found.bare_ms += await latency_ms(encoder, some, warm_ups=0)
        for question in some:
            began = time.perf_counter()
            answer = await shelf.ask(question)
            found.whole_ms.append((time.perf_counter() - began) * 1_000)
            found.degraded += bool(answer.degradations)
        say("questions", at + len(some), len(questions))
    return found


async def ingested(ingestion: rag_ingest.Ingestion, encoder: ports.Encoder, plan: Plan, say: Say) -> dict[str, float]:
    """Encode a document's passages bare, then hand it in, one document after the other: nothing overlaps."""
    await ingestion(_warm_up())
    bare_s = whole_s = 0.0
    encoded = found = 0
    documents = _documents(plan, plan.ingest, plan.documents)
    for done, document in enumerate(documents):
        say("documents handed in", done, len(documents))
        texts = rag_ingest.texts(document)
        bare_s += await encode_s(encoder, texts)
        encoded += len(texts)
        began = time.perf_counter()
        found += await ingestion(document)
        whole_s += time.perf_counter() - began
    say("documents handed in", len(documents), len(documents))
    per_s, bare_per_s = found / whole_s, encoded / bare_s
    return {"passages_per_s": per_s, "encoder_passages_per_s": bare_per_s, "ingest_ratio": per_s / bare_per_s}


async def lexical_ingested(ingestion: rag_ingest.Ingestion, plan: Plan) -> float:
    """Return the passages a second of one large document without a dense leg."""
    await ingestion(_warm_up())
    (document,) = _documents(plan, plan.small, 1)
    began = time.perf_counter()
    return await ingestion(document) / (time.perf_counter() - began)


def _documents(plan: Plan, passages: int, count: int) -> list[Document]:
    return rag_ingest.documents(plan.sets[0] if plan.sets else None, passages, count)


def _warm_up() -> Document:
    """What makes collections and tables; of nobody's id."""
    (made,) = rag_ingest.documents(None, 16, 1)
    return Document("warm-up", "", made.content, made.records)


def _resident_mib(site: Site) -> float:
    usage = site.usage()
    return usage[MILVUS].rss_mib + usage[encoder_rows.NAME].rss_mib + rag_index.resident_mib()


def _under(name: str, say: Say) -> Say:
    return lambda what, done, of: say(f"{name}: {what}", done, of)


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if values else _NAN
