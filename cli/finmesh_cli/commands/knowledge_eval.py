"""`finmesh kb eval`: retrieval measured on a data set of the BEIR form, in processes of its own."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from localmesh.places import Places
from tokenizers import Tokenizer

from finmesh_cli.knowledge import dataset, report, scratch
from finmesh_cli.knowledge.evaluation import Evaluated, evaluate, figures

_TOKENIZER = "tokenizer.json"
_PREFIX = "passage: "


def eval_dataset(
    folder: Annotated[Path, typer.Option("--dataset", exists=True, file_okay=False, help="corpus.jsonl, queries.jsonl, qrels.tsv")],
    page: Annotated[Path | None, typer.Option("--report", dir_okay=False, help="HTML page; var/eval-rag/<name>.html unless given")] = None,
) -> None:
    """Hand a data set in, ask its questions, measure the rankings. The last line is JSON; progress is on stderr."""
    try:
        said = asyncio.run(_measured(folder))
    except dataset.DatasetError as error:
        raise typer.BadParameter(str(error), param_hint="--dataset") from None
    path = page or Places.default().var / "eval-rag" / f"{folder.resolve().name}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(report.page(folder.resolve().name, said), "utf-8")
    print(f"report: {path}", file=sys.stderr)
    print(json.dumps(said, ensure_ascii=False))


async def _measured(folder: Path) -> dict[str, object]:
    async with scratch.opened() as knowledge:
        found = await evaluate(folder, knowledge, _say)
    return figures(found, folder, _wordpieces(folder, found))


def _say(what: str, done: int, of: int) -> None:
    if done in (0, of) or done % 50 == 0:
        print(f"{what}: {done} of {of}", file=sys.stderr, flush=True)


def _wordpieces(folder: Path, found: Evaluated) -> int | None:
    """Return how many word pieces the encoder was given, as its tokenizer counts; None where no encoder is."""
    path = Places.default().encoder_model / _TOKENIZER
    if not found.weights or not path.is_file():
        return None
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    texts = [
        _PREFIX + json.loads(line)["text"]
        for document in dataset.documents(folder)
        for line in document.content.splitlines()
        if line.strip()
    ]
    return sum(len(each.ids) for each in tokenizer.encode_batch(texts))
