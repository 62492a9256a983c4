"""Forward one call to its owner."""

from __future__ import annotations

from collections.abc import Callable

from gateway import ports
from gateway.domain.call import Caller
from gateway.domain.route import Route
from gateway.steps.admit import Admit, Unpacked
from gateway.steps.meter import Meter


class Forward:
    """The use case of every RPC with one response."""

    def __init__(self, admit: Admit, meter: Meter, upstreams: ports.Upstreams) -> None:
        self._admit, self._meter = admit, meter
        self._upstreams = upstreams

    async def __call__(self, route: Route, caller: Caller, unpack: Callable[[str], Unpacked]) -> bytes:
        """Return the owner's serialised response. Raises typed errors, the owner's included."""
        async with self._admit(route, caller, unpack) as admitted, self._meter(admitted):
            return await self._upstreams.call(route, admitted)
