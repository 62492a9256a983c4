"""Stop strings in a text that arrives in pieces (Aho and Corasick, 1975).

The state after a piece is the longest end of the text that begins a stop string, and exactly that is held back: a piece that can begin
none goes out whole, the first one too. Which string ended the text does not depend on how it was cut into pieces: the one that is complete
first, of several the longest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from meshkit.errors import FieldViolation, InvalidArgument

MAX_STOPS, MAX_CHARACTERS = 16, 256


class Stops:
    """Stop strings, ready to be matched; one for all answers of a request. Raises InvalidArgument (STOP_INVALID)."""

    def __init__(self, texts: Iterable[str]) -> None:
        wanted = list(dict.fromkeys(texts))
        if len(wanted) > MAX_STOPS or not all(0 < len(text) <= MAX_CHARACTERS for text in wanted):
            violation = FieldViolation("stop", f"at most {MAX_STOPS} of 1 to {MAX_CHARACTERS} characters")
            raise InvalidArgument("the stop strings are wrong", reason="STOP_INVALID", violations=(violation,))
        self.next: list[dict[str, int]] = [{}]  # by state: the state after a character that goes on
        self.fallback = [0]  # the state of the longest shorter end that begins a string
        self.held = [0]  # characters that the state stands for
        self.complete = [0]  # characters of the longest string that ends here, 0 for none
        for text in wanted:
            self._add(text)
        self._link()

    def _add(self, text: str) -> None:
        state = 0
        for character in text:
            after = self.next[state].get(character)
            if after is None:
                after = self.next[state][character] = len(self.next)
                self.next.append({})
                self.fallback.append(0)
                self.held.append(self.held[state] + 1)
                self.complete.append(0)
            state = after
        self.complete[state] = len(text)

    def _link(self) -> None:
        waiting = deque(self.next[0].values())
        while waiting:
            state = waiting.popleft()
            self.complete[state] = self.complete[state] or self.complete[self.fallback[state]]
            for character, after in self.next[state].items():
                self.fallback[after] = self.after(self.fallback[state], character)
                waiting.append(after)

    def after(self, state: int, character: str) -> int:
        """Return the state after one more character; of many, each costs a constant on average."""
        while (found := self.next[state].get(character)) is None and state:
            state = self.fallback[state]
        return found or 0


class StopMatcher:
    """Watches one answer."""

    def __init__(self, stops: Stops) -> None:
        self._stops = stops
        self._state = 0
        self._held = ""
        self.is_stopped = False

    def push(self, piece: str) -> str:
        """Return what may be sent; with ``is_stopped`` that is the last, and what stands before the stop string."""
        if self.is_stopped:
            return ""
        stops, state, text, before = self._stops, self._state, self._held + piece, len(self._held)
        for position, character in enumerate(piece, before + 1):
            state = stops.after(state, character)
            if stops.complete[state]:
                self.is_stopped, self._held = True, ""
                return text[: position - stops.complete[state]]
        self._state, ready = state, len(text) - stops.held[state]
        self._held = text[ready:]
        return text[:ready]

    def end(self) -> str:
        """Return what was held back: the text ended without a stop string."""
        held, self._held = self._held, ""
        return held
