"""What the tiny model says when nothing disturbs it: our own engine in this process, before anything else starts.

The same build, model and seed give the same tokens whatever the batch is, so one answer of the longest length serves every request that
asks for less.
"""

from collections.abc import Sequence
from pathlib import Path

from engine.llm.engine import Engine
from engine.llm.generation import ChoiceStart, Finished, Generation, Sampling, Token
from engine.llm.limits import Limits
from engine.llm.loading import load

from drills.faults_llm.plan import MAX_OUTPUT_TOKENS, Ask

_NAMESPACE = bytes(32)
_AT_ONCE = 8
Key = tuple[int, float, int, int]


class Oracle:
    """Answers by what determines them."""

    def __init__(self, answers: dict[Key, dict[int, list[int]]]) -> None:
        self._answers = answers

    def __call__(self, ask: Ask) -> dict[int, list[int]]:
        """Tokens of every choice of a request, to its end."""
        return {choice: tokens[: ask.output_tokens] for choice, tokens in self._answers[_key(ask)].items()}


def _key(ask: Ask) -> Key:
    return ask.prompt, ask.temperature, ask.seed if ask.temperature else 0, ask.choices


def oracle(model: Path, prompts: Sequence[Sequence[int]], asks: Sequence[Ask]) -> Oracle:
    """Answer everything that `asks` ask. Blocks."""
    engine = Engine(load(model, threads=1), Limits(rows=_AT_ONCE))
    wanted = sorted({_key(ask) for ask in asks})
    answers: dict[Key, dict[int, list[int]]] = {}
    for key in wanted:
        prompt, temperature, seed, choices = key
        answers[key] = {choice: [] for choice in range(choices)}
        engine.submit(
            Generation(
                request_id="oracle",
                tokens=prompts[prompt],
                namespace=_NAMESPACE,
                max_tokens=MAX_OUTPUT_TOKENS,
                sampling=Sampling(seed=seed, temperature=temperature),
                choices=tuple(ChoiceStart(choice) for choice in range(choices)),
            )
        )
        _run(engine, answers[key])
    return Oracle(answers)


def _run(engine: Engine, answer: dict[int, list[int]]) -> None:
    while True:
        for event in engine.step():
            if isinstance(event, Token):
                answer[event.choice].append(event.token)
            elif isinstance(event, Finished) and event.is_last:
                return
