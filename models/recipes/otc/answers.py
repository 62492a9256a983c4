"""What the exported model writes for texts, in an engine of this process: the graph, grammar and log-probabilities of service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.llm.engine import Engine
from engine.llm.generation import Finished, Generation, Sampling, Token
from engine.llm.limits import Limits
from engine.llm.loading import load
from otcdesk import constraint
from otcdesk.reading import confidence
from tqdm import tqdm  # type: ignore[import-untyped]

from otc import vocabulary

MOST_TOKENS = 192
_ROWS = 16


@dataclass(frozen=True, slots=True)
class Answer:
    """``written``: the model's text; ``confidence``: see `otcdesk.reading`."""

    written: str
    confidence: float


def answers(folder: Path, texts: Sequence[str], threads: int = 1) -> list[Answer]:
    """Return the answers to folded texts, in order."""
    engine = Engine(load(folder, threads=threads), Limits(rows=_ROWS, queue=_ROWS, prefix_store_bytes=0, chunk_tokens=128))
    found: dict[str, Answer] = {}
    waiting = _generations(texts)
    running: dict[str, tuple[list[int], list[float]]] = {}
    bar = tqdm(total=len(texts), unit="text", mininterval=5)
    while len(found) < len(texts):
        while len(running) < _ROWS and (asked := next(waiting, None)) is not None:
            running[asked.request_id] = ([], [])
            engine.submit(asked)
        for event in engine.step():
            if isinstance(event, Token):
                running[event.request_id][0].append(event.token)
                running[event.request_id][1].append(event.logprob or 0.0)
            elif isinstance(event, Finished):
                tokens, logprobs = running.pop(event.request_id)
                kept = [at for at, token in enumerate(tokens) if token != vocabulary.END]
                written = vocabulary.decode([tokens[at] for at in kept])
                found[event.request_id] = Answer(written, confidence(logprobs[at] for at in kept))
                bar.update(1)
    bar.close()
    return [found[str(number)] for number in range(len(texts))]


def _generations(texts: Iterable[str]) -> Iterator[Generation]:
    for number, text in enumerate(texts):
        tokens = (vocabulary.TEXT, *vocabulary.encode(text), vocabulary.JSON)
        yield Generation(str(number), tokens, bytes(32), MOST_TOKENS, sampling=Sampling(logprobs=True), form=constraint.schema(text))
