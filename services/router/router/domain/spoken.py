"""What one answer says, of its characters: text up to a stop string, and calls of tools. Stop strings are looked for in text alone."""

from __future__ import annotations

from typing import NamedTuple

from router.domain.calls import Called, CallPiece, ToolChoice
from router.domain.generation import Finish
from router.domain.stops import StopMatcher, Stops
from router.domain.tool_calls import CallReader
from router.domain.tools import Offer


class Piece(NamedTuple):
    """Text that is ready after a token: whole characters, "" while some are held back; whether a stop string ended the answer.

    With ``is_stopped`` the text is what stands before the stop string; nothing follows. ``calls``: pieces of calls behind the text.
    """

    text: str
    is_stopped: bool
    calls: tuple[CallPiece, ...] = ()


class Spoken:
    """One answer. ``offer``: tools that it may call."""

    def __init__(self, stops: Stops, offer: Offer | None) -> None:
        self._matcher = StopMatcher(stops)
        self._reader = None
        if offer is not None:
            self._reader = CallReader({tool.name for tool in offer.calls.tools}, has_form=bool(offer.calls.text_schema))
        self._is_named = offer is not None and offer.choice is ToolChoice.NAMED

    @property
    def called(self) -> tuple[Called, ...]:
        """Return the calls so far; the last one may have been cut."""
        return () if self._reader is None or self._matcher.is_stopped else self._reader.called

    def push(self, text: str) -> Piece:
        """Take the next characters."""
        if self._reader is None:
            return Piece(self._matcher.push(text), self._matcher.is_stopped)
        told = self._reader.push(text)
        return self._piece(told.text, told.calls)

    def end(self, text: str, reason: Finish) -> tuple[Piece, Finish]:
        """Take the last characters and why the answer ended; returns what was held back, and why it ended as callers are told."""
        if self._reader is None:
            return Piece(self._matcher.push(text) + self._matcher.end(), False), reason
        first, last = self._reader.push(text), self._reader.end(is_cut=reason is not Finish.STOP)
        piece = self._piece(first.text + last.text, (*first.calls, *last.calls))
        piece = piece._replace(text=piece.text + self._matcher.end())
        if reason is not Finish.STOP or piece.is_stopped:
            return piece, reason
        if not self._reader.is_whole:
            return piece, Finish.LENGTH
        return piece, Finish.TOOL_CALLS if self._reader.called and not self._is_named else Finish.STOP

    def _piece(self, text: str, calls: tuple[CallPiece, ...]) -> Piece:
        said = self._matcher.push(text)
        if self._matcher.is_stopped:
            return Piece(said, True)
        if calls:  # the text is over
            said += self._matcher.end()
        return Piece(said, False, calls)
