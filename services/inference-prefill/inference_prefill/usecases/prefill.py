"""Read a prompt, sample first tokens, publish keys and values.

Surprising: an engine of another layout than the decode side's is refused here, before it is asked, whatever the router believes of it.
A call that is given up ends its hand-off, published or not: whoever was to be told of the ticket is gone.
"""

from __future__ import annotations

from backends.admission import admit
from backends.port import Backend, Observer
from finmesh.inference.v1.prefill_service_pb2 import PrefillRequest, PrefillResponse
from meshkit.errors import FailedPrecondition, MeshError

from inference_prefill.ports import Engines


class Prefill:
    """``most_queued``: requests that may wait at one engine."""

    def __init__(self, engines: Engines, observer: Observer, most_queued: int) -> None:
        self._engines, self._observer, self._most_queued = engines, observer, most_queued

    async def __call__(self, request: PrefillRequest, left_s: float) -> PrefillResponse:
        """Return ticket and first tokens. Raises typed errors (PrefillService)."""
        engine = self._engines.chosen(request.worker_id, request.model_digest)
        observed = self._observer.began(_model(engine))
        try:
            _check_layout(engine, request)
            admit(engine.load, len(request.prompt_tokens), left_s, self._most_queued)
            published = await engine.prefill(request, left_s)
        except MeshError as error:
            observed.failed(error.reason)
            raise
        except BaseException:
            observed.failed("CANCELLED")
            raise
        observed.published(published)
        return published.response


def _model(engine: Backend) -> str:
    return "" if engine.description is None else engine.description.model


def _check_layout(engine: Backend, request: PrefillRequest) -> None:
    if engine.description is None or engine.description.layout_digest != request.layout_digest:
        raise FailedPrecondition("the decode side lays keys and values out otherwise", reason="LAYOUT_MISMATCH")
