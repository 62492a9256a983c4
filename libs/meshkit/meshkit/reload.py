"""What is made from files and made again when they change: whatever its loader raises, the last good value stays in force.

Contents are compared, not times: a file written twice inside one tick of the clock is seen, one that is touched makes no work. A content
that was refused is tried again after a pause that doubles, since the cause may lie elsewhere. Start a reload on a thread of its own
(``reload``, for ``Service.watch``): a loader may compute for a while, and a file system may hang.
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from meshkit.errors import FailedPrecondition, MeshError, is_failure

MAX_BYTES = 1 << 20
_MIN_PAUSE_S, _MAX_PAUSE_S = 1.0, 60.0
_MAX_TEXT = 400
_logger = logging.getLogger(__name__)
Content = TypeVar("Content")
Value = TypeVar("Value")


def read_file(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    """Return the content of a regular file. Raises OSError, and FailedPrecondition for a folder, a pipe, or more than ``max_bytes``."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe does not block, and is refused
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FailedPrecondition("is not a regular file", reason="FILE_UNREADABLE")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(max_bytes + 1)
    finally:
        os.close(descriptor)  # fdopen keeps that of a folder open
    if len(content) > max_bytes:
        raise FailedPrecondition(f"is larger than {max_bytes} bytes", reason="FILE_TOO_LARGE")
    return content


class Reloaded(Generic[Content, Value]):
    """``read`` gets the content (comparable, as bytes are), ``load`` makes the value of it; ``name`` says which file it is.

    The first load happens here and raises FailedPrecondition, unless there is something to hold ``otherwise``; afterwards nothing a loader
    raises changes ``value``. Loaders tell what is wrong by a MeshError: the text of any other error may hold what is secret, and only its
    type is shown.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[], Content],
        load: Callable[[Content], Value],
        *,
        reason: str,
        otherwise: tuple[Value] | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.error: FailedPrecondition | None = None
        """Why the newest content is not in force; None while it is."""
        self._read = read
        self._load = load
        self._reason = reason
        self._monotonic_s = monotonic_s
        self._one_at_a_time = threading.Lock()
        self._refused: tuple[Content] | None = None
        self._pause_s = _MIN_PAUSE_S
        self._again_s = 0.0
        self._content: tuple[Content] | None = None
        if otherwise is not None:
            (self.value,) = otherwise
            self._refresh()
            return
        try:
            content = read()
            self.value = load(content)
        except BaseException as error:
            if not is_failure(error):
                raise
            raise self._typed(error) from error
        self._content = (content,)

    def refresh(self) -> bool:
        """Look once; return whether a new value is in force. Never raises; at most one thread looks at a time."""
        if not self._one_at_a_time.acquire(blocking=False):
            return False
        try:
            return self._refresh()
        finally:
            self._one_at_a_time.release()

    async def reload(self) -> bool:
        """Look once, on a thread; return whether a new value is in force. Raises FailedPrecondition while the newest content is not."""
        changed = await asyncio.to_thread(self.refresh)
        if self.error is not None:
            raise self.error
        return changed

    def _refresh(self) -> bool:
        try:
            content = self._read()
        except BaseException as error:  # a file that is away for a moment is read again next time
            if not is_failure(error):
                raise
            self._keep(error)
            return False
        if (content,) == self._content:
            self.error = self._refused = None
            return False
        again = (content,) == self._refused
        if again and self._monotonic_s() < self._again_s:
            return False
        try:
            value = self._load(content)
        except BaseException as error:
            if not is_failure(error):
                raise
            self._pause_s = min(2 * self._pause_s, _MAX_PAUSE_S) if again else _MIN_PAUSE_S
            self._again_s = self._monotonic_s() + self._pause_s
            self._refused = (content,)
            self._keep(error)
            return False
        if value is not self.value:
            _logger.info("reloaded", extra={"facts": {"what": self.name}})
        self._content, self.value = (content,), value
        self.error = self._refused = None
        return True

    def _keep(self, error: BaseException) -> None:
        typed = self._typed(error)
        if self.error is None or self.error.message != typed.message:
            _logger.error("the last good version stays in force: %s", typed.message)
        self.error = typed

    def _typed(self, error: BaseException) -> FailedPrecondition:
        if isinstance(error, MeshError):
            text, reason, violations = error.message, error.reason, error.violations
        else:
            said = error.strerror if isinstance(error, OSError) else None
            text, reason, violations = said or type(error).__name__, self._reason, ()
        return FailedPrecondition(f"{self.name}: {' '.join(text.split())[:_MAX_TEXT]}", reason=reason, violations=violations)
