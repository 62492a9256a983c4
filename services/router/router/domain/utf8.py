"""The text of one answer, from its tokens: whole characters as soon as they are whole.

A token is bytes, and a character may be spread over four of them. What is held back is less than one character; what never becomes one is
replaced (U+FFFD) as it would be if all bytes were decoded at once, so all pieces together are that text.
"""

from __future__ import annotations

import codecs

from router.domain.vocabulary import Vocabulary

_new_decoder = codecs.getincrementaldecoder("utf-8")


def whole(content: bytes) -> bytes:
    """Return it without half a character at its end; what is none elsewhere is replaced."""
    return _new_decoder("replace").decode(content).encode()


class TextDecoder:
    """Decodes one answer."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._texts = vocabulary.texts
        self._spaces = vocabulary.dropped_spaces
        self._decoder = _new_decoder("replace")

    def push(self, token_id: int) -> str:
        """Return what became whole with a token. An id that no token has says nothing."""
        content = self._texts[token_id] if 0 <= token_id < len(self._texts) else b""
        if self._spaces and content:
            kept = content.lstrip(b" ")
            kept = content[min(len(content) - len(kept), self._spaces) :]
            self._spaces = 0 if kept else self._spaces - len(content)
            content = kept
        return self._decoder.decode(content)

    def push_text(self, content: bytes) -> str:
        """Return what became whole with a piece that came as text."""
        self._spaces = 0
        return self._decoder.decode(content)

    def restart(self) -> None:
        """Forget half a character: whoever goes on writes it anew."""
        self._decoder.reset()

    def end(self) -> str:
        """Return the replacement of half a character at the end, if there is one."""
        return self._decoder.decode(b"", final=True)
