"""Forward one call to its owner."""

from __future__ import annotations

from collections.abc import Callable

from gateway import ports
from gateway.domain.call import Caller
from gateway.domain.route import Route
from gateway.steps.admit import Admit, Unpacked


class Forward:
    """The use case of every RPC with one response."""

    def __init__(self, admit: Admit, upstreams: ports.Upstreams) -> None:
        self._admit = admit
        self._upstreams = upstreams

    async def __call__(self, route: Route, caller: Caller, unpack: Callable[[str], Unpacked]) -> bytes:
        """Return the owner's serialised response. Raises typed errors, the owner's included."""
        async with self._admit(route, caller, unpack) as admitted:
            return await self._upstreams.call(route, admitted)
