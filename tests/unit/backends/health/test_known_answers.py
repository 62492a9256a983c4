"""What is known of a model: as the recipe writes it, what is wrong with a file, what is wrong with an answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from backends.health.known_answers import FILE, KnownAnswer, Said, parse, read
from engine.llm import manifest
from llm import tiny
from meshkit.errors import FailedPrecondition, InvalidDocument

ANSWER = KnownAnswer(prompt=(5, 6), tokens=(7, 8, 9), logprobs=(-0.1, -0.2, -0.3), margins=(1.0, 0.05, 1.0))
DOCUMENT = {
    "version": 1,
    "model_digest": "ab" * 32,
    "tolerance": 0.1,
    "answers": [{"prompt_tokens": [5, 6], "tokens": [7, 8, 9], "logprobs": [-0.1, -0.2, -0.3], "margins": [1.0, 0.05, 1.0]}],
}


def test_a_recipe_writes_what_is_read_and_the_model_is_the_same(tmp_path: Path) -> None:
    folder = tiny.make(tmp_path / "模型")
    known = read(folder)
    assert known is not None
    assert known.model_digest.hex() == manifest.read(folder).digest
    assert FILE not in manifest.read(folder).files
    assert len(known.answers) == 4
    for answer in known.answers:
        assert min(answer.margins) > 0
        assert max(answer.logprobs) < 0
    (folder / FILE).unlink()
    assert read(folder) is None
    assert tiny.make(tmp_path / "模型") == folder
    assert read(folder) == known


def test_a_file_is_read() -> None:
    known = parse(json.dumps(DOCUMENT).encode())
    assert (known.model_digest, known.tolerance, known.answers) == (bytes.fromhex("ab" * 32), 0.1, (ANSWER,))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 2}, "version"),
        ({"model_digest": "AB" * 32}, "model_digest"),
        ({"tolerance": 0}, "tolerance"),
        ({"tolerance": True}, "tolerance"),
        ({"answers": []}, "answers"),
        ({"more": 1}, "fields"),
        ({"answers": [{**DOCUMENT["answers"][0], "tokens": [7, 8]}]}, "answers[0]"),  # type: ignore[index]
        ({"answers": [{**DOCUMENT["answers"][0], "tokens": [7, 8, -9]}]}, "answers[0].tokens"),  # type: ignore[index]
        ({"answers": [{**DOCUMENT["answers"][0], "prompt_tokens": [5] * 64}]}, "answers[0].prompt_tokens"),  # type: ignore[index]
        ({"answers": [{**DOCUMENT["answers"][0], "logprobs": ["x", 1, 1]}]}, "answers[0].logprobs"),  # type: ignore[index]
    ],
)
def test_a_file_that_says_something_else_is_refused_by_its_field(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    content = json.dumps({**DOCUMENT, **change}).encode()
    with pytest.raises(InvalidDocument) as caught:
        parse(content)
    assert said in caught.value.message
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(FailedPrecondition) as refused:
        read(tmp_path)
    assert refused.value.reason == "KNOWN_ANSWERS_INVALID"


@pytest.mark.parametrize(
    ("said", "is_wrong"),
    [
        ([Said(7, -0.1), Said(8, -0.2), Said(9, -0.3)], False),
        ([Said(7), Said(8)], False),
        ([Said(7, -0.19)], False),
        ([Said(7, -0.21)], True),
        ([Said(7, float("nan"))], True),
        ([Said(1, -0.1)], True),
        ([Said(7, -0.1), Said(4, -0.2), Said(1, -9.0)], False),  # the second best was nearly as good: nothing behind it is compared
        ([Said(7, -0.1), Said(8, -0.2), Said(1, -0.3)], True),
    ],
)
def test_an_answer_is_compared(said: list[Said], is_wrong: bool) -> None:
    assert bool(ANSWER.mistake(said, 0.1)) is is_wrong
