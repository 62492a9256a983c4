"""Questions whose answers are known: `known_answers.json`, version 1, in a model's folder. Pure but for `read`.

Surprising: the file is no part of the model's digest, because it says what the model does and not what it is; it names the digest
instead, so that the answers of one model are never held against another. Answers are greedy, and a recipe takes questions whose answers
are clear: where the second best token was nearly as good (less than twice the tolerance), another machine may choose it, and nothing
behind that is compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meshkit.errors import FailedPrecondition, InvalidDocument
from meshkit.strict_json import parse_json

FILE = "known_answers.json"
_LARGEST_BYTES = 1 << 20
_MOST_TOKENS, _LEAST = 60, 2
"""A prompt of 64 tokens fills a block, which the prefix store would keep: it would be looked up and not computed."""


@dataclass(frozen=True, slots=True)
class Said:
    """A token as an engine told it. ``logprob``: None when it told none."""

    token: int
    logprob: float | None = None


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """``logprobs`` and ``margins`` by token: its log-probability, and by how much it was better than the second best."""

    prompt: tuple[int, ...]
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    margins: tuple[float, ...]

    def mistake(self, said: Sequence[Said], tolerance: float) -> str:
        """Return in words what is wrong with an answer of so many tokens, empty when nothing is."""
        for at, each in enumerate(said):
            if at >= len(self.tokens):
                return f"{len(said)} tokens of {len(self.tokens)}"
            if each.token != self.tokens[at]:
                is_close = self.margins[at] < 2 * tolerance
                return "" if is_close else f"token {at} is {each.token} and not {self.tokens[at]}"
            if each.logprob is not None and not abs(each.logprob - self.logprobs[at]) <= tolerance:
                return f"token {at} has log-probability {each.logprob:.3f} and not {self.logprobs[at]:.3f}"
        return ""


@dataclass(frozen=True, slots=True)
class KnownAnswers:
    """Of one model. ``tolerance``: of log-probabilities, for engines that compute the same numbers in another order."""

    model_digest: bytes
    answers: tuple[KnownAnswer, ...]
    tolerance: float = 0.1


def read(folder: Path, name: str = FILE) -> KnownAnswers | None:
    """Return the known answers of a model's folder, None when it has none.

    Raises FailedPrecondition (KNOWN_ANSWERS_INVALID) for a file that says something else.
    """
    path = folder / name
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _invalid(path, f"cannot be read: {error.strerror}") from error
    if len(content) > _LARGEST_BYTES:
        raise _invalid(path, f"is larger than {_LARGEST_BYTES} bytes")
    try:
        return parse(content)
    except InvalidDocument as error:
        raise _invalid(path, error.message) from error


def parse(content: bytes) -> KnownAnswers:
    """Return what a file says. Raises InvalidDocument that names the field."""
    document = parse_json(content)
    top = _fields(document, "", {"version", "model_digest", "tolerance", "answers"})
    if top["version"] != 1:
        raise InvalidDocument(f"version is {top['version']!r}: 1 is known")
    digest, answers = top["model_digest"], top["answers"]
    if not (isinstance(digest, str) and len(digest) == 64 and all(each in "0123456789abcdef" for each in digest)):
        raise InvalidDocument("model_digest is no SHA-256 in hex")
    if not isinstance(answers, list) or not answers:
        raise InvalidDocument("answers is no list of answers")
    tolerance = _numbers([top["tolerance"]], "tolerance")[0]
    if not 0 < tolerance < 10:
        raise InvalidDocument("tolerance is not between 0 and 10")
    return KnownAnswers(bytes.fromhex(digest), tuple(_answer(each, f"answers[{at}]") for at, each in enumerate(answers)), tolerance)


def _answer(document: Any, place: str) -> KnownAnswer:
    fields = _fields(document, place, {"prompt_tokens", "tokens", "logprobs", "margins"})
    prompt, tokens = _ids(fields["prompt_tokens"], f"{place}.prompt_tokens"), _ids(fields["tokens"], f"{place}.tokens")
    logprobs, margins = _numbers(fields["logprobs"], f"{place}.logprobs"), _numbers(fields["margins"], f"{place}.margins")
    if not _LEAST <= len(prompt) <= _MOST_TOKENS:
        raise InvalidDocument(f"{place}.prompt_tokens has {len(prompt)} tokens: {_LEAST} to {_MOST_TOKENS} are possible")
    if not tokens or not len(tokens) == len(logprobs) == len(margins):
        raise InvalidDocument(f"{place} has {len(tokens)} tokens, {len(logprobs)} logprobs, {len(margins)} margins")
    return KnownAnswer(prompt, tokens, logprobs, margins)


def _fields(document: Any, place: str, names: set[str]) -> dict[str, Any]:
    if not isinstance(document, dict) or document.keys() != names:
        raise InvalidDocument(f"{place or 'it'} has not these fields alone: {', '.join(sorted(names))}")
    return document


def _ids(document: Any, place: str) -> tuple[int, ...]:
    if not isinstance(document, list) or not all(type(each) is int and 0 <= each < 1 << 32 for each in document):
        raise InvalidDocument(f"{place} is no list of token ids")
    return tuple(document)


def _numbers(document: Any, place: str) -> tuple[float, ...]:
    if not isinstance(document, list) or not all(type(each) in (int, float) for each in document):
        raise InvalidDocument(f"{place} is no list of numbers")
    return tuple(float(each) for each in document)


def _invalid(path: Path, why: str) -> FailedPrecondition:
    return FailedPrecondition(f"{path} {why}", reason="KNOWN_ANSWERS_INVALID")
