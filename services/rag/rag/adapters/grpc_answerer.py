"""A served model, asked through the router. Greedy: the same passages give the same text."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from finmesh.inference.v1 import generation_pb2
from finmesh.router.v1 import router_service_pb2 as router
from finmesh.router.v1 import router_service_pb2_grpc as router_grpc
from meshkit.config import TlsSettings
from meshkit.errors import MeshError, Unavailable
from meshkit.rpc.channel import MeshChannel

from rag.ports.models import Prompt, Written

_TIMEOUT_S = 120.0


class GrpcAnswerer:
    """See ``ports.Answerer``. ``target``: of the router."""

    def __init__(self, target: str, tls: TlsSettings) -> None:
        self._channel = MeshChannel(target, tls, server_name="router", timeout_s=_TIMEOUT_S)
        self._stub: Any = router_grpc.RouterServiceStub(self._channel)

    async def aclose(self) -> None:
        """Close."""
        await self._channel.close()

    async def answer(self, prompt: Prompt) -> AsyncGenerator[str | Written, None]:
        """Yield pieces of text, then the end. Whatever the router refuses is Unavailable: there is no answer."""
        turns = [router.Message(role="system", content=prompt.instructions)]
        turns += [router.Message(role=role, content=text) for role, text in prompt.turns]
        request = router.GenerateRequest(
            tenant=prompt.tenant,
            scenario=prompt.scenario,
            model=prompt.model,
            grade=prompt.grade,  # type: ignore[arg-type]
            conversation=router.Conversation(messages=turns),
            max_output_tokens=prompt.max_output_tokens,
            sampling=generation_pb2.Sampling(temperature=0.0, choices=1),
        )
        written = Written(prompt.model, "")
        try:
            async with aclosing(self._stub.Generate(request, timeout=_TIMEOUT_S)) as parts:
                async for part in parts:
                    kind = part.WhichOneof("part")
                    if kind == "admitted":
                        written = Written(part.admitted.model, part.admitted.generation_id)
                    elif kind == "substituted":
                        written = Written(part.substituted.model, part.substituted.generation_id or written.generation_id)
                    elif kind == "delta" and part.delta.text:
                        yield part.delta.text
                    elif kind == "ended":
                        usage = part.ended.usage
                        yield Written(written.model, written.generation_id, usage.prompt_tokens, usage.output_tokens)
        except MeshError as error:
            raise Unavailable("the model did not answer", reason=error.reason) from None
