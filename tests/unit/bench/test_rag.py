"""What the benchmark of retrieval does, with a model and a store of vectors that are no processes. Nothing here judges a time."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from finmesh_cli.knowledge.dataset import Document
from meshkit.errors import Unavailable
from numpy.typing import NDArray
from rag import ports
from rag.domain.ranking import Filter, Hit, IndexedChunk
from rag.domain.tuning import Language, language
from typer.testing import CliRunner

from bench import __main__ as command
from bench import rag, rag_index, rag_ingest, rag_shelf
from bench.report import Figures, Say
from tests.component.rag.in_process import Hashing, Nearest

PLAN = rag.Plan(small=100, large=160, ingest=60, documents=3, questions=30)


class Store(Nearest):
    """Vectors as a follower writes them."""

    def __init__(self) -> None:
        super().__init__()
        self.seq = 0
        self.filters: list[Filter] = []
        self.written: list[IndexedChunk] = []

    async def upsert(self, tenant: str, chunks: Sequence[IndexedChunk], vectors: NDArray[np.float32]) -> None:
        self.written += chunks
        await super().upsert(tenant, chunks, vectors)

    async def search(self, vector: NDArray[np.float32], where: Filter, limit: int) -> list[Hit]:
        self.filters.append(where)
        return await super().search(vector, where, limit)

    async def missing(self, tenant: str, chunks: Sequence[IndexedChunk]) -> list[int]:
        return [chunk.chunk_id for chunk in chunks]

    async def position(self) -> int:
        return self.seq

    async def settle(self, seq: int) -> None:
        self.seq = seq

    async def retire(self, tenant: str, version_id: int, to_seq: int) -> None:
        raise AssertionError("nothing is superseded here")

    async def delete(self, tenant: str, version_ids: object) -> None:
        raise AssertionError("nothing is purged here")


class Counting(Hashing):
    """Counts what it is asked for, by kind."""

    def __init__(self) -> None:
        self.asked: list[tuple[ports.Kind, str]] = []

    async def encode(self, texts: Sequence[str], kind: ports.Kind) -> NDArray[np.float32]:
        self.asked += [(kind, text) for text in texts]
        return await super().encode(texts, kind)


def silent(what: str, done: int, of: int) -> None:
    """Progress goes nowhere."""


async def test_shelves(tmp_path: Path) -> None:
    store, encoder = Store(), Counting()
    sizes: list[int] = []

    async with rag_shelf.opened(tmp_path, store, encoder) as shelf:

        def resident_mib() -> float:
            sizes.append(shelf.passages)
            return 7.0

        values = await rag.shelves(shelf, encoder, PLAN, silent, resident_mib)
    assert sizes == [160] and values["rss_mib_100k"] == 7
    assert values["degraded"] == 0
    assert all(map(math.isfinite, values.values()))
    assert len(encoder.asked) == 2 * 3 * PLAN.questions, "each shelf warms up and is asked, and the bare encoder beside it"
    assert {kind for kind, _ in encoder.asked} == {ports.Kind.QUERY}, "vectors of passages are seeded"
    asked = [text for _, text in encoder.asked]
    assert sum(language(text) is Language.HAN for text in asked) * 2 == len(asked)


async def test_half_of_a_shelf_is_chinese_and_an_access_id_is_a_document_s(tmp_path: Path) -> None:
    store = Store()
    async with rag_shelf.opened(tmp_path, store, Hashing()) as shelf:
        await shelf.fill(2_040, silent)
        assert shelf.passages == len(store.written) == 2_040
        found = await shelf.ask(store.written[0].text)
    assert sum(language(each.text) is Language.HAN for each in store.written) == 1_020
    assert len({each.access_id for each in store.written}) == rag_index.ACCESS_IDS
    assert len(store.filters[-1].access_ids) == rag_index.ACCESS_IDS
    assert found.passages[0].chunk.chunk_id == store.written[0].chunk_id
    assert not found.degradations


async def test_whoever_may_read_less_finds_less(tmp_path: Path) -> None:
    store = Store()
    async with rag_shelf.opened(tmp_path, store, Hashing()) as shelf:
        await shelf.fill(100, silent)
        found = [await shelf.ask(each.text, readable=1) for each in (store.written[0], store.written[-1])]
    assert {passage.version.submission.document_id for each in found for passage in each.passages} == {"document-000000"}


async def test_an_answer_without_a_leg_is_counted(tmp_path: Path) -> None:
    class Away(Store):
        async def search(self, vector: NDArray[np.float32], where: Filter, limit: int) -> list[Hit]:
            raise Unavailable("away", reason="MILVUS_UNAVAILABLE")

    async with rag_shelf.opened(tmp_path, Away(), Hashing()) as shelf:
        await shelf.fill(20, silent)
        found = await rag.in_turns(shelf, Hashing(), rag_index.questions(4), silent)
    assert found.degraded == 4


async def test_ingestion(tmp_path: Path) -> None:
    store, encoder = Store(), Counting()
    async with rag_ingest.opened(tmp_path / "both", store, encoder) as ingestion:
        values = await rag.ingested(ingestion, encoder, PLAN, silent)
    assert set(values) == {"passages_per_s", "encoder_passages_per_s", "ingest_ratio"}
    passages = [text for _, text in encoder.asked[16:]]  # after those of the document that warms up
    assert len(passages) == 2 * PLAN.ingest, "each passage is encoded bare, and once more on its way to the dense leg"
    assert sorted(passages) == sorted(2 * [text for each in rag_ingest.documents(None, 60, 3) for text in rag_ingest.texts(each)])
    assert store.seq == 4
    async with rag_ingest.opened(tmp_path / "lexical", None, None) as ingestion:
        assert await rag.lexical_ingested(ingestion, PLAN) > 0


async def test_a_document_that_cannot_be_read_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="broken is FAILED"):
        async with rag_ingest.opened(tmp_path, None, None) as ingestion:
            await ingestion(Document("broken", "", b"[]", 1))


async def test_an_index_that_loses_what_it_was_given_ends_the_run(tmp_path: Path) -> None:
    class Full(Store):
        async def settle(self, seq: int) -> None:
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        async with rag_ingest.opened(tmp_path, Full(), Hashing()) as ingestion:
            await ingestion(Document("one", "", b'{"_id": "1", "text": "one"}', 1))


def test_records_of_a_data_set_are_cut_into_documents(tmp_path: Path) -> None:
    lines = [{"_id": f"记录{n}", "title": "", "text": f"第{n}条\u2028 The same line"} for n in range(10)]
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in lines), "utf-8")
    found = rag_ingest.documents(tmp_path, 7, 3)
    assert [each.records for each in found] == [3, 3, 1]
    assert [text for each in found for text in rag_ingest.texts(each)] == [str(each["text"]) for each in lines[:7]]


async def test_no_large_shelf(tmp_path: Path) -> None:
    async with rag_shelf.opened(tmp_path, Store(), Hashing()) as shelf:
        values = await rag.shelves(shelf, Hashing(), rag.Plan(small=20, large=0, questions=2), silent, lambda: math.nan)
    assert "p50_ms_100k" not in values and "rss_mib_100k" not in values
    assert values["p50_ms_10k"] > 0


def test_a_data_set_that_is_not_there_is_said_and_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plans: list[rag.Plan] = []

    async def measured(var: Path | None, plan: rag.Plan, say: Say) -> Figures:
        plans.append(plan)
        return Figures("retrieval", {"p50_ms_10k": 12.0, "p50_ms_100k": math.nan})

    async def evaluated(folder: Path, say: Say) -> dict[str, object]:
        return {"fused": {"ndcg10": 0.5}}

    monkeypatch.setattr(command.rag, "measure", measured)
    monkeypatch.setattr(command.rag, "evaluated", evaluated)
    there, away = tmp_path / "保险", tmp_path / "away"
    there.mkdir()
    said = CliRunner().invoke(command.app, ["rag", "--large", "0", "--data", str(there), "--data", str(away)])
    assert said.exit_code == 0, said.output
    assert f"{away} is not there and left out".replace(" ", "") in "".join(said.stdout.split())
    last = json.loads(said.stdout.splitlines()[-1])
    assert last == {"p50_ms_10k": 12.0, "p50_ms_100k": None, "sets": {"保险": {"fused": {"ndcg10": 0.5}}}}
    assert plans == [rag.Plan(large=0, sets=[there])]
