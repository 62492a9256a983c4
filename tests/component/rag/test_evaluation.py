"""Retrieval keeps its quality: the evaluation's own code over rag's own steps, on generated documents of both languages."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from finmesh_cli.knowledge import dataset
from finmesh_cli.knowledge.evaluation import evaluate, figures
from finmesh_cli.knowledge.report import page
from meshkit.errors import Unavailable
from rag.domain.access import Access
from rag.domain.retrieval import Pipeline
from rag.domain.tuning import Language

from tests.component.rag import generated
from tests.component.rag.in_process import TENANT, ids_of, opened


def quiet(what: str, done: int, of: int) -> None:
    """Say nothing."""


def measured(folder: Path, **how: Any) -> dict[str, Any]:
    """Figures of a generated set; the judgements are not there while it is asked."""
    data, work = folder / "data", folder / "work"
    data.mkdir(parents=True)
    work.mkdir()
    generated.write(data, **how)
    judged = (data / "qrels.tsv").rename(folder / "qrels.tsv")

    async def run() -> dict[str, Any]:
        async with opened(work) as knowledge:
            found = await evaluate(data, knowledge, quiet)
        judged.rename(data / "qrels.tsv")
        return dict(figures(found, data, None))

    return asyncio.run(run())


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return measured(tmp_path_factory.mktemp("eval"))


def test_rankings_keep_their_quality(said: dict[str, Any]) -> None:
    """The gate: figures that a change to terms, fusion, names or scope must not push down."""
    assert said["n_queries"] == 189 and said["quarantined"] == 0
    assert said["legs"]["lexical"]["ndcg10"] >= 0.47
    assert said["fused_unscoped"]["ndcg10"] >= said["legs"]["lexical"]["ndcg10"]
    assert said["fused"]["ndcg10"] >= said["fused_unscoped"]["ndcg10"] + 0.05, "names and periods of the question find its document"
    assert said["fused"]["gain"]["ndcg10"][1] > 0, "above the best leg, and its interval above zero"
    assert said["fused_given_scope"]["ndcg10"] >= 0.77
    assert set(said) >= {"p50_ms", "p99_ms", "passages_per_s", "wordpieces_per_s", "weights"}


def test_order_of_questions_ids_and_metadata_change_nothing(said: dict[str, Any], tmp_path: Path) -> None:
    """Nothing is learnt from a question for the next; ids are opaque; metadata never arrives."""
    timed = {"p50_ms", "p99_ms", "passages_per_s"}
    again = measured(tmp_path, shuffled=True, prefix="记录/ ", metadata=False)
    for key, value in said.items():
        if key not in timed:
            assert _means(again[key]) == _means(value), key


def test_the_report_shows_every_ranking(said: dict[str, Any]) -> None:
    """One page, nothing from elsewhere, names escaped."""
    shown = page("<b>", said)
    assert "&lt;b&gt;" in shown and "<script" not in shown and "http" not in shown
    assert f"{said['fused']['ndcg10']:.4f}" in shown and "fused given scope" in shown


def long_passages() -> dataset.Document:
    """Of which sentences can be taken out, as weighing does."""
    clauses = [text for _, text, _ in generated.CLAUSES]
    texts = ["".join(text.format(n=10 * number + place) for place, text in enumerate(clauses)) for number in range(40)]
    lines = [json.dumps({"_id": f"长{number}", "text": text}, ensure_ascii=False) for number, text in enumerate(texts)]
    return dataset.Document("long", "长条款", "\n".join(lines).encode(), len(lines))


async def test_weighing_waits_for_a_leg_that_is_away_for_a_moment_and_ends_where_it_stays_away(tmp_path: Path) -> None:
    async with opened(tmp_path) as knowledge:
        await knowledge.submit(long_passages())
        first = await knowledge.tuned()
        assert first.weighed[Language.HAN].probes > 30
        knowledge.nearest.away = 3
        assert (await knowledge.tuned()).weighed == first.weighed and not knowledge.nearest.away
        knowledge.nearest.away = 1_000
        with pytest.raises(Unavailable):
            await knowledge.tune()
        assert (await knowledge.ledger.tunings.current(TENANT)).version == 2, "what ended before its time has recorded nothing"


def test_forbidden_documents_move_no_ranking(tmp_path: Path) -> None:
    """Three hundred passages that nobody may read, full of the question's words: ranks, scope and explanation stay as they were."""
    generated.write(tmp_path)
    documents = dataset.documents(tmp_path)
    questions = [query.text for query in dataset.queries(tmp_path)][::20]

    async def run() -> None:
        async with opened(tmp_path) as knowledge:
            for document in documents:
                await knowledge.submit(document)
            before = [await knowledge.found(each, pipeline) for each in questions for pipeline in Pipeline]
            for place, document in enumerate(documents):
                await knowledge.submit(replace(document, document_id=f"forbidden-{place}"), Access(3, barriers=frozenset({"deal"})))
            after = [await knowledge.found(each, pipeline) for each in questions for pipeline in Pipeline]
            for old, new in zip(before, after, strict=True):
                assert [(each.id, each.explained) for each in old.passages] == [(each.id, each.explained) for each in new.passages]
                assert old.resolved == new.resolved and old.passages

    asyncio.run(run())


def test_weights_are_moved_by_the_operators_command_alone(tmp_path: Path) -> None:
    """An ingestion leaves them; the same passages give the same weights; each tuning is a version."""
    generated.write(tmp_path)
    documents = dataset.documents(tmp_path)

    async def run() -> None:
        async with opened(tmp_path) as knowledge:
            for document in (*documents[:-2], long_passages()):
                await knowledge.submit(document)
            first, second = await knowledge.tuned(), await knowledge.tuned()
            assert first.weighed == second.weighed and (first.tuning.version, second.tuning.version) == (1, 2)
            for document in documents[-2:]:
                await knowledge.submit(document)
            assert await knowledge.ledger.tunings.current("evaluation") == second.tuning

    asyncio.run(run())


def test_long_records_are_found_once(tmp_path: Path) -> None:
    """Cut into several passages, one place in the ranking."""
    long = "".join(f"第{place}款 被保险人应当在事故发生后及时通知保险人并提交材料编号{place}。" for place in range(80))
    content = f'{{"_id": "长", "title": "长条款", "text": "{long}"}}\n{{"_id": "短", "title": "长条款", "text": "提交材料"}}\n'

    async def run() -> None:
        async with opened(tmp_path) as knowledge:
            await knowledge.submit(dataset.Document("d", "长条款", content.encode(), 2))
            found = await knowledge.found("事故发生后提交哪些材料")
            assert sorted(ids_of(found)) == ["短", "长"]

    asyncio.run(run())


def _means(value: object) -> object:
    """Figures without intervals, which depend on the order of the queries."""
    if isinstance(value, dict):
        return {key: _means(each) for key, each in value.items() if key != "ci95"}
    return value[0] if isinstance(value, list) else value
