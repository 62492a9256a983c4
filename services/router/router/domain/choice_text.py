"""One answer from its tokens: bytes to characters, and characters to what is said."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from router.domain.calls import Called
from router.domain.generation import Finish
from router.domain.model import ServedModel
from router.domain.spoken import Piece, Spoken
from router.domain.utf8 import TextDecoder, whole
from router.domain.vocabulary import Vocabulary


class ChoiceText:
    """See ``ports.ChoiceText``."""

    def __init__(self, model: ServedModel, vocabulary: Vocabulary, spoken: Spoken, encode: Callable[[str], Sequence[int]]) -> None:
        self._end_ids = model.end_ids
        self._encode = encode
        self._vocabulary = vocabulary
        self._decoder = TextDecoder(vocabulary)
        self._spoken = spoken

    def push(self, token_id: int) -> Piece:
        """See ``ports.ChoiceText``."""
        return self._spoken.push("" if token_id in self._end_ids else self._decoder.push(token_id))

    def push_text(self, content: bytes) -> Piece:
        """See ``ports.ChoiceText``."""
        return self._spoken.push(self._decoder.push_text(content))

    def said(self, token_ids: Sequence[int]) -> bytes:
        """See ``ports.ChoiceText``."""
        self._decoder.restart()
        return whole(self._vocabulary.said(each for each in token_ids if each not in self._end_ids))

    def ids(self, content: bytes) -> tuple[int, ...]:
        """See ``ports.ChoiceText``."""
        return tuple(self._encode(whole(content).decode()))

    def name(self, token_id: int) -> bytes:
        """See ``ports.ChoiceText``."""
        return self._vocabulary.name(token_id)

    def end(self, reason: Finish) -> tuple[Piece, Finish]:
        """See ``ports.ChoiceText``."""
        return self._spoken.end(self._decoder.end(), reason)

    @property
    def called(self) -> tuple[Called, ...]:
        """See ``ports.ChoiceText``."""
        return self._spoken.called
