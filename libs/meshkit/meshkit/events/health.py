"""Where it is reported what is missing: a port of the process (`meshkit.service.Service`)."""

from __future__ import annotations

from typing import Protocol


class Health(Protocol):
    """The service, as whoever depends on something sees it."""

    def degraded(self, component: str, reason: str) -> None:
        """Say that a component is missing. ``reason`` holds no personal data."""
        ...

    def not_ready(self, component: str, reason: str) -> None:
        """Say that a component is missing without which nothing can be served."""
        ...

    def recovered(self, component: str) -> None:
        """Say that it is back."""
        ...


def reason_of(error: BaseException) -> str:
    """Return what health shows of an error: its stable reason, or its type; never its text."""
    return getattr(error, "reason", None) or type(error).__name__
