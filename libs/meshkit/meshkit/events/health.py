"""Where the consumers report what is missing."""

from __future__ import annotations

from typing import Protocol


class Health(Protocol):
    """The service, as its consumers see it."""

    def degraded(self, component: str, reason: str) -> None:
        """Say that a component is missing. ``reason`` holds no personal data."""
        ...

    def recovered(self, component: str) -> None:
        """Say that it is back."""
        ...


def reason_of(error: BaseException) -> str:
    """Return what health shows of an error: its stable reason, or its type; never its text."""
    return getattr(error, "reason", None) or type(error).__name__
