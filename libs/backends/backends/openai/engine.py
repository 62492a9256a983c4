"""A server of OpenAI's API behind the port: met once, then asked by streamed completions.

Surprising: nobody's word is taken for what decides the answer. Whether ids are taken as ids is found out by a prompt of a few ids, whose
count has to come back; whether an answer tells its ids, by looking. Ending the connection ends the work there.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any

from finmesh.inference.v1.generation_pb2 import FINISH_REASON_LENGTH
from meshkit.errors import FailedPrecondition, MeshError, Unavailable

from backends.accelerator_options import OpenAiOptions
from backends.accelerators import ForeignRow
from backends.foreign import ForeignEngine
from backends.http_link import METRICS_BYTES, HttpLink, parsed
from backends.openai import completions
from backends.openai.completions import Asked
from backends.openai.dialects import VLLM, Dialect, of_owner
from backends.openai.gauges import gauges
from backends.openai.reading import Reading
from backends.together import in_time, together
from backends.triton_engine import BUFFER_TOKENS
from backends.writing import Gauges, Writing, said_wrong

_PROBE_IDS = [5, 6, 7, 8, 9]
_LINE_BYTES, _PROMPT_TOKEN_BYTES = 256 * 1024, 16  # a first event may repeat the ids of the prompt
_DONE = b"[DONE]"


class OpenAiEngine(ForeignEngine):
    """``options``: of its row, or what a row of another kind means by it."""

    def __init__(
        self, row: ForeignRow, options: OpenAiOptions, role: str = "generate", *, buffer_tokens: int = BUFFER_TOKENS, **clock: Any
    ) -> None:
        super().__init__(row, role, buffer_tokens=buffer_tokens, **clock)
        self._options = options
        self._link = HttpLink(row, options.connect_s)
        self._served = options.served_model or row.model
        self._asked: Asked | None = None
        self._has_metrics = options.metrics == "probe"

    async def meet(self) -> Gauges:
        """Ask for its models; find out once, and anew after it was away, how it is to be asked."""
        await self._link.refresh()
        listed = parsed(await self._link.get("/v1/models"))
        dialect = self._dialect(listed)
        if self._asked is None or self._reason:
            self._asked = await self._found_out(dialect)
            self.missing = self._lacks(self._asked)
        return await self._gauges_of(dialect)

    def _dialect(self, listed: dict[str, Any]) -> Dialect:
        models = listed.get("data")
        if not isinstance(models, list):
            raise said_wrong("the engine lists no models")
        for model in models:
            if isinstance(model, dict) and model.get("id") == self._served:
                return of_owner(model.get("owned_by"))
        raise Unavailable("the engine does not serve the row's model", reason="ENGINE_MODEL_GONE")

    async def _found_out(self, dialect: Dialect) -> Asked:
        """Try a prompt of ids, for one token, unless the row says how it is."""
        options = self._options
        if options.tokens == "ids" and not dialect.token_ids:
            dialect = replace(dialect, token_ids=VLLM.token_ids)
        by_ids, tells_ids = options.prompts == "ids", options.tokens == "ids"
        if "probe" in (options.prompts, options.tokens):
            asks: dict[str, Any] = {"model": self._served, "prompt": _PROBE_IDS, "max_tokens": 1, "temperature": 0}
            answer: dict[str, Any] = {}
            with suppress(FailedPrecondition):  # it takes no ids
                answer = await self._link.post("/v1/completions", asks | ({dialect.token_ids: True} if dialect.token_ids else {}))
            by_ids = _count_of(answer) == len(_PROBE_IDS) if options.prompts == "probe" else by_ids
            tells_ids = bool(dialect.token_ids) and _tells_ids(answer) if options.tokens == "probe" else tells_ids
        answers_as = options.answers_as or self._served
        return Asked(self._served, answers_as, dialect, by_ids=by_ids, tells_ids=tells_ids)

    def _lacks(self, asked: Asked) -> frozenset[str]:
        missing = {*asked.dialect.lacks, *self._options.lacks}
        missing.add("TEXT_REPLAY" if asked.by_ids else "TOKEN_REPLAY")
        if not asked.by_ids:
            missing.add("TOKEN_IDS")
        if not asked.tells_ids:
            missing.add("LOGPROBS")
        return frozenset(missing)

    async def _gauges_of(self, dialect: Dialect) -> Gauges:
        """What /metrics says, if there is one; a server without it is not asked again."""
        if not self._has_metrics or not dialect.gauges:
            return Gauges()
        try:
            return gauges(await self._link.get("/metrics", METRICS_BYTES), dialect.gauges)
        except MeshError as error:
            self._has_metrics = error.reason != "ENGINE_MODEL_GONE"
            return Gauges()

    async def write(self, writing: Writing) -> None:
        """Ask for each choice; they run beside one another."""
        asked = self._asked
        assert asked is not None
        ended = set(writing.request.ended_choices)
        async with together() as group:
            for choice in [choice for choice in writing.sizes if choice not in ended]:
                group.create_task(self._choice(asked, writing, choice))

    async def _choice(self, asked: Asked, writing: Writing, choice: int) -> None:
        request, begun = writing.request, writing.sizes[choice]
        line_bytes = _LINE_BYTES + _PROMPT_TOKEN_BYTES * len(request.prompt_tokens)
        reading, asks = Reading(asked, writing, choice), completions.body(asked, request, choice)
        if asks["max_tokens"] < 1:
            writing.finish(choice, FINISH_REASON_LENGTH)
            return
        async with (
            in_time(self._options.first_s) as limit,
            self._link.events("/v1/completions", asks, line_bytes) as events,
        ):
            async for data in events:
                if data == _DONE:
                    break
                count = writing.sizes[choice]
                if not reading.take(data, self._monotonic_s()):
                    return  # its reader is too slow; the connection ends, and the work with it
                if writing.sizes[choice] > count:
                    limit.reschedule(asyncio.get_running_loop().time() + self._options.between_s)
            else:
                raise Unavailable("the engine's stream broke off", reason="ENGINE_LOST")
        reading.end(begun)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._link.aclose()


def _count_of(answer: dict[str, Any]) -> int:
    usage = answer.get("usage")
    count = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    return count if type(count) is int else -1


def _tells_ids(answer: dict[str, Any]) -> bool:
    choices = answer.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    ids = first.get("token_ids") if isinstance(first, dict) else None
    return isinstance(ids, list) and len(ids) == 1 and type(ids[0]) is int
