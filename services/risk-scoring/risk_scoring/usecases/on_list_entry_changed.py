"""Event ListEntryChanged: block lists and trusted payees as their topic tells them, in force once all of it was read (rule D28)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from risk_scoring.domain.lists import NOT_READ, ListChange, ListSnapshot

log = logging.getLogger(__name__)


class OnListEntryChanged:
    """``changed`` gets every snapshot that is put in force. Until what stood in the topic at first was read, that is none."""

    def __init__(self, changed: Callable[[ListSnapshot], None]) -> None:
        self._changed = changed
        self.lists = NOT_READ

    def begin_anew(self) -> None:
        """Forget what was read: the topic is another one. What is in force stays until all of the new one was read."""
        self.lists = NOT_READ

    def apply(self, changes: Sequence[ListChange]) -> None:
        """Apply changes together."""
        self.lists = self.lists.apply(*changes)
        if changes and self.lists.read:
            self._changed(self.lists)

    def reached_end(self) -> None:
        """Put in force what was read, if this is the first time that the end of the topic was reached."""
        if not self.lists.read:
            self.lists = replace(self.lists, read=True)
            log.info("%s list entries are in force", self.lists.size)
            self._changed(self.lists)
