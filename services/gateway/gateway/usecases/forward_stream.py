"""Forward one call to its owner, who answers with a stream.

The caller's going away ends the owner's work at once, and the owner's failure the caller's stream; no more is asked of the owner than the
caller has taken. A caller that stops reading is the server's matter (READER_TOO_SLOW, `meshkit.rpc.chain`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from meshkit.errors import DeadlineExceeded

from gateway import ports
from gateway.domain.call import Caller
from gateway.domain.route import Route, Stream
from gateway.steps.admit import Admit, Unpacked
from gateway.steps.meter import Meter, Metered


class ForwardStream:
    """The use case of every RPC with a stream of responses."""

    def __init__(self, admit: Admit, meter: Meter, upstreams: ports.Upstreams) -> None:
        self._admit, self._meter, self._upstreams = admit, meter, upstreams

    async def __call__(
        self,
        route: Route,
        bounds: Stream,
        caller: Caller,
        unpack: Callable[[str], Unpacked],
        metered: Callable[[Metered], None] | None = None,
    ) -> AsyncGenerator[bytes, None]:
        """Yield the owner's serialised responses. Raises typed errors, the owner's included. ``metered`` is told of the call's tokens."""
        async with (
            self._admit(route, caller, unpack) as admitted,
            self._meter(admitted) as tokens,
            aclosing(self._upstreams.stream(route, admitted)) as responses,
        ):
            if metered is not None:
                metered(tokens)
            wait_s, reason = bounds.first_s, "FIRST_RESPONSE_LATE"
            while (response := await _next(responses, wait_s, reason)) is not None:
                await tokens.saw(response)
                yield response
                wait_s, reason = bounds.between_s, "STREAM_STALLED"


async def _next(responses: AsyncGenerator[bytes, None], wait_s: float, reason: str) -> bytes | None:
    """Return the next response, None at the end. Raises DeadlineExceeded when none comes in time."""
    try:
        async with asyncio.timeout(wait_s) as scope:
            return await anext(responses, None)
    except TimeoutError:
        if not scope.expired():
            raise
        raise DeadlineExceeded(f"the owner sent nothing for {wait_s:g} s", reason=reason) from None
