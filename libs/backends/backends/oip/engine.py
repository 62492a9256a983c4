"""A model of the Open Inference Protocol behind the port.

Surprising: whoever stops reading does not end the work there (see `backends.oip.link`), so its row stays taken until the answer's bound
is reached. A row's `cancel: true` says that the server bears it.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from finmesh.inference.v1.generation_pb2 import FINISH_REASON_LENGTH, FINISH_REASON_STOP, FinishReason
from meshkit.config import TlsSettings
from meshkit.errors import Unavailable
from meshkit.rpc.tls import checked, watched

from backends.accelerator_options import OipOptions
from backends.accelerators import ForeignRow
from backends.foreign import ForeignEngine
from backends.oip.link import Inference, OipLink
from backends.oip.mapping import Mapped
from backends.together import in_time, together
from backends.triton_engine import BUFFER_TOKENS
from backends.writing import Gauges, Writing, said_wrong


class OipEngine(ForeignEngine):
    """``options``: the mapping of its row."""

    def __init__(
        self, row: ForeignRow, options: OipOptions, role: str = "generate", *, buffer_tokens: int = BUFFER_TOKENS, **clock: Any
    ) -> None:
        super().__init__(row, role, buffer_tokens=buffer_tokens, **clock)
        self._options = options
        tls = TlsSettings(certificate=row.certificate_file, key=row.key_file, authority=row.authority_file)
        self._files = watched(tls, checked) if row.is_protected else None
        self._link: OipLink | None = None
        self._mapped: Mapped | None = None
        self._numbers = itertools.count(1)

    @property
    def may_cancel(self) -> bool:
        """Whether the row says that the server bears it."""
        return self._options.cancel

    async def meet(self) -> Gauges:
        """Ask whether the model is ready; hold the row against its metadata once, and anew after it was away."""
        if self._link is None:
            self._link = OipLink(self.row.url, self._files, may_cancel=self._options.cancel)
        metadata = await self._link.metadata(self._options.served_model, self._options.version)
        if self._mapped is None or self._reason:
            self._mapped = Mapped.of(self._options, metadata)
            self.missing = self._mapped.missing
        return Gauges()

    async def write(self, writing: Writing) -> None:
        """Ask for each choice; they run beside one another."""
        ended = set(writing.request.ended_choices)
        async with together() as group:
            for choice in [choice for choice in writing.sizes if choice not in ended]:
                group.create_task(self._choice(writing, choice))

    async def _choice(self, writing: Writing, choice: int) -> None:
        """Hear one answer to its end, also one that went wrong: its reader is told at once, its row is free then."""
        mapped, link = self._mapped, self._link
        assert mapped is not None and link is not None
        if writing.sizes[choice] >= writing.request.bounds.max_output_tokens:
            writing.finish(choice, FINISH_REASON_LENGTH)
            return
        request = mapped.request(writing.request, choice, str(next(self._numbers)))
        inference = link.ask(request, is_decoupled=self._options.decoupled)
        try:
            await self._heard(mapped, inference, writing, choice)
        except Unavailable as error:
            writing.stream.fail(error)
            if not self.may_cancel:
                await inference.drained()
            raise
        finally:
            link.leave(request, inference)

    async def _heard(self, mapped: Mapped, inference: Inference, writing: Writing, choice: int) -> None:
        finish: FinishReason | None = None
        async with in_time(self._options.first_s) as limit:
            while (response := await inference.next()) is not None:
                tokens, told = mapped.answer(response)
                if finish is not None and (tokens or told is not None):
                    raise said_wrong("the engine goes on after the end")
                finish = told if finish is None else finish
                writing.tokens(choice, tokens, self._monotonic_s())  # of a slow reader the rest is heard, and dropped
                if tokens:
                    limit.reschedule(asyncio.get_running_loop().time() + self._options.between_s)
        if finish is None and not self._options.finish:
            is_full = writing.sizes[choice] >= writing.request.bounds.max_output_tokens
            finish = FINISH_REASON_LENGTH if is_full else FINISH_REASON_STOP
        if finish is None:
            raise said_wrong("the engine did not say why it ended")
        writing.finish(choice, finish)

    async def aclose(self) -> None:
        """Close the stream."""
        if self._link is not None:
            await self._link.aclose()
