"""The answers of one generation as they come: tokens in, pieces of text out.

Tokens are taken in order and once: one that came before is dropped, a hole is the worker's failure. Stop strings are matched here, by the
text; end ids, length and grammar are the worker's business, which says so by ending the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from meshkit.errors import Unavailable

from router.domain.calls import Called, CallPiece
from router.domain.generation import ChoiceFinished, Delta, Finish, Token
from router.domain.tool_calls import joined
from router.ports import ChoiceText

Piece = Delta | ChoiceFinished


@dataclass(slots=True)
class _Answer:
    text: ChoiceText
    tokens: list[int] = field(default_factory=list)
    held: list[Token] = field(default_factory=list)  # whose text is not complete
    said: bytearray = field(default_factory=bytearray)  # by an engine that tells no ids; what it says counts, and not ``tokens``
    finished: ChoiceFinished | None = None


class Answers:
    """``keep_tokens``: whether pieces carry their tokens; ``name_tokens``: and those their bytes."""

    def __init__(self, text: Callable[[], ChoiceText], choices: int, *, keep_tokens: bool, name_tokens: bool = False) -> None:
        self._answers = [_Answer(text()) for _ in range(choices)]
        self._keep, self._name = keep_tokens, name_tokens
        self.output_tokens = 0

    @property
    def are_over(self) -> bool:
        """Whether all of them ended."""
        return all(answer.finished is not None for answer in self._answers)

    @property
    def finished(self) -> tuple[ChoiceFinished, ...]:
        """Return those that ended."""
        return tuple(answer.finished for answer in self._answers if answer.finished is not None)

    @property
    def called(self) -> tuple[tuple[Called, ...], ...]:
        """Return the calls of tools so far, by choice."""
        return tuple(answer.text.called for answer in self._answers)

    @property
    def tokens(self) -> Mapping[int, tuple[int, ...]]:
        """Return the tokens so far, by choice; of what came as text those that the model's tokenizer makes of it."""
        return {
            choice: answer.text.ids(bytes(answer.said)) if answer.said else tuple(answer.tokens)
            for choice, answer in enumerate(self._answers)
        }

    def settle(self) -> Mapping[int, tuple[int, ...]]:
        """Return the tokens so far with which another worker goes on: from here on they are what was told."""
        for answer in self._answers:
            if answer.said and answer.finished is None:
                answer.tokens, answer.said = list(answer.text.ids(bytes(answer.said))), bytearray()
        return self.tokens

    def said(self) -> Mapping[int, bytes]:
        """Return what the tokens so far say, by choice."""
        return {choice: answer.text.said(answer.tokens) for choice, answer in enumerate(self._answers) if answer.tokens}

    def take(self, tokens: Iterable[Token]) -> list[Piece]:
        """Take the next tokens of any answers; returns what there is to tell, one piece an answer, and which ended at a stop string.

        Raises Unavailable (TOKENS_MISSING) when some were left out.
        """
        texts: dict[int, tuple[list[str], list[CallPiece]]] = {}
        for token in tokens:
            if not token.choice < len(self._answers):
                raise Unavailable("a token of an answer that nobody asked for", reason="TOKENS_MISSING")
            answer = self._answers[token.choice]
            if answer.finished is not None or token.position < len(answer.tokens):
                continue
            if token.position > len(answer.tokens):
                raise Unavailable("tokens are missing", reason="TOKENS_MISSING")
            if token.is_text_only and not answer.said:
                answer.said += answer.text.said(answer.tokens)
            answer.said += token.text if token.is_text_only else b""
            answer.tokens.append(token.token_id)
            self.output_tokens += 1
            if self._keep:
                answer.held.append(_named(token, answer.text) if self._name else token)
            said = answer.text.push_text(token.text) if token.is_text_only else answer.text.push(token.token_id)
            parts, calls = texts.setdefault(token.choice, ([], []))
            parts.append(said.text)
            calls += said.calls
            if said.is_stopped:
                answer.finished = ChoiceFinished(token.choice, Finish.STOP, len(answer.tokens))
        found: list[Piece] = []
        for choice, (parts, calls) in texts.items():
            ended = self._answers[choice].finished
            found += self._piece(choice, "".join(parts), joined(calls), is_last=ended is not None)
            if ended is not None:
                found.append(ended)
        return found

    def finish(self, choice: int, reason: Finish, counted: int = 0) -> list[Piece]:
        """End an answer, unless a stop string did; returns what was held back and the end. ``counted``: its tokens by its engine's word,
        which stands where that told text alone.
        """
        answer = self._answers[choice]
        if answer.finished is not None:
            return []
        output_tokens = max(counted, len(answer.tokens)) if answer.said else len(answer.tokens)
        self.output_tokens += output_tokens - len(answer.tokens)
        said, told_reason = answer.text.end(reason)
        answer.finished = ChoiceFinished(choice, told_reason, output_tokens)
        return [*self._piece(choice, said.text, said.calls, is_last=True), answer.finished]

    def closed(self, reason: Finish) -> tuple[ChoiceFinished, ...]:
        """Return how all answers ended when those that had not are over for this reason."""
        return tuple(answer.finished or ChoiceFinished(choice, reason, len(answer.tokens)) for choice, answer in enumerate(self._answers))

    def _piece(self, choice: int, text: str, calls: tuple[CallPiece, ...], *, is_last: bool) -> list[Piece]:
        answer = self._answers[choice]
        if not text and not calls and not (is_last and answer.held):
            return []
        held, answer.held = tuple(answer.held), []
        return [Delta(choice, text, held, self.output_tokens, calls)]


def _named(token: Token, text: ChoiceText) -> Token:
    if token.is_text_only:
        return token
    return token._replace(text=text.name(token.token_id), top=tuple(each._replace(text=text.name(each.token_id)) for each in token.top))
