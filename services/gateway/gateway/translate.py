"""Protobuf bytes and what the use case reads of them; the only module that knows wrapper messages.

The owner's response is never parsed here: it is wrapped by putting the tag of field 1 and its length before its bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from finmesh.audit.v1 import audit_record_pb2
from finmesh.gateway.v1 import gateway_service_pb2
from finmesh.otc.v1 import otc_service_pb2
from finmesh.router.v1 import router_service_pb2
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from meshkit.errors import FieldViolation, InvalidArgument
from meshkit.rpc.metadata import BUDGET_KEY_BYTES
from meshkit.tenants import checked_tenant

from gateway.domain.route import Route
from gateway.domain.token_shares import Stage, TokenCount, Whose
from gateway.domain.token_use import TokenUse

SERVICE = gateway_service_pb2.DESCRIPTOR.services_by_name["GatewayService"]
_KEY_CHARACTERS = 200
_TEMPLATE_TOKENS = 128
_TOOLS_TOKENS, _TOOL_TOKENS = 512, 64
_INQUIRY_TOKENS = 192
_MAX_TOKENS = 10**9
_FIELD_1_BYTES = b"\x0a"  # field 1, wire type 2 (length-delimited)


class Envelope(NamedTuple):
    """An unpacked request: ``body`` is the owner's message, always serialised alike. ``tenant`` is None where the method has none,
    ``scenario`` and ``grade`` are empty and 0 where it does not say them.
    """

    tenant: str | None
    scenario: str
    grade: int
    idempotency_key: str
    body: bytes
    tokens: TokenCount | None = None


class Codec:
    """Unpacks and packs the wrappers of one route."""

    def __init__(self, route: Route, service: ServiceDescriptor = SERVICE, assumed_output_tokens: int = 0) -> None:
        method = service.methods_by_name[route.method]
        self._request: Any = GetMessageClass(method.input_type)
        self._has_key = "idempotency_key" in method.input_type.fields_by_name
        self._route = route
        self._limit_bytes = route.request_bytes
        self._assumed_output_tokens = assumed_output_tokens

    def unpack(self, raw: bytes) -> Envelope:
        """Return what a serialised wrapper holds. Raises InvalidArgument."""
        if len(raw) > self._limit_bytes:
            raise InvalidArgument(f"the request is larger than {self._limit_bytes} bytes", reason="MESSAGE_TOO_LARGE")
        try:
            wrapper = self._request.FromString(raw)
        except (DecodeError, UnicodeDecodeError):
            raise InvalidArgument("the bytes are no such message", reason="MALFORMED_MESSAGE") from None
        if not wrapper.HasField("request"):
            violation = FieldViolation("request", "is required")
            raise InvalidArgument("the request is empty", violations=(violation,))
        key: str = wrapper.idempotency_key if self._has_key else ""
        if len(key) > _KEY_CHARACTERS or not key.isprintable():
            violation = FieldViolation("idempotency_key", f"at most {_KEY_CHARACTERS} printable characters")
            raise InvalidArgument("the idempotency key is wrong", violations=(violation,))
        body = wrapper.request.SerializeToString(deterministic=True)
        return Envelope(
            tenant=str(_at(wrapper, self._route.tenant_path)) if self._route.tenant_path else None,
            scenario=str(_at(wrapper, self._route.scenario_path)) if self._route.scenario_path else "",
            grade=int(_at(wrapper, self._route.grade_path)) if self._route.grade_path else 0,
            idempotency_key=key,
            body=body,
            tokens=self._tokens(wrapper.request, len(body)) if self._route.metered else None,
        )

    def _tokens(self, request: Any, size_bytes: int) -> TokenCount:
        if isinstance(request, otc_service_pb2.ParseOtcInquiryRequest):
            return inquiry_bound(size_bytes)
        return bound(request, size_bytes, self._assumed_output_tokens)


def inquiry_bound(size_bytes: int) -> TokenCount:
    """Return what reading one text of the OTC desk may use at most."""
    return TokenCount(size_bytes + _TEMPLATE_TOKENS, _INQUIRY_TOKENS)


def bound(asked: Any, size_bytes: int, assumed_output_tokens: int) -> TokenCount:
    """Return what a generation may use at most: no token has less than a byte, but for those that the model's template adds.

    Tools are written into the prompt anew, with a blank behind each comma and colon, and in a frame of the template's own.
    """
    if asked.tools:
        size_bytes += _TOOLS_TOKENS + sum(_TOOL_TOKENS + len(tool.parameters) for tool in asked.tools)
    output = (asked.max_output_tokens or assumed_output_tokens) * max(1, asked.sampling.choices)
    return TokenCount(size_bytes + _TEMPLATE_TOKENS, min(output, _MAX_TOKENS))


def _at(message: Message, path: tuple[str, ...]) -> Any:
    value: Any = message
    for name in path:
        value = getattr(value, name)
    return value


class GenerationCodec:
    """Reads what a generation's responses say of tokens. A response is one field of a oneof, so its first byte tells which."""

    _STAGES: Mapping[bytes, Stage] = {b"\x0a": "admitted", b"\x12": "text", b"\x2a": "ended", b"\x32": "substituted"}  # fields 1, 2, 5, 6

    def stage(self, response: bytes) -> Stage | None:
        """Return what a response is; see ``ports.GenerationCodec``."""
        return self._STAGES.get(response[:1])

    def tokens(self, response: bytes) -> TokenCount:
        """Return what a response says; see ``ports.GenerationCodec``."""
        said = router_service_pb2.GenerateResponse.FromString(response)
        if said.HasField("ended"):
            return TokenCount(said.ended.usage.prompt_tokens, said.ended.usage.output_tokens)
        return TokenCount(0, said.delta.output_tokens)

    def allowed(self, response: bytes) -> tuple[TokenCount, int]:
        """Return what a generation may use; see ``ports.GenerationCodec``."""
        said = router_service_pb2.GenerateResponse.FromString(response)
        if said.HasField("substituted"):
            return TokenCount(said.substituted.prompt_tokens, min(said.substituted.max_output_tokens, _MAX_TOKENS)), 0
        return TokenCount(said.admitted.prompt_tokens, min(said.admitted.max_output_tokens, _MAX_TOKENS)), max(1, said.admitted.choices)


def token_uses(batch: bytes) -> list[TokenUse]:
    """Return what generations used whose ends a batch of audit records holds. Raises InvalidArgument for what is no batch of a router's."""
    try:
        envelope = audit_record_pb2.AuditBatch.FromString(batch)
        records = [audit_record_pb2.AuditRecord.FromString(content) for content in envelope.records]
    except (DecodeError, UnicodeDecodeError):
        raise InvalidArgument("the bytes are no audit batch", reason="MALFORMED_MESSAGE") from None
    if not envelope.producer.startswith("router/"):
        raise InvalidArgument("only routers record generations", reason="PRODUCER_WRONG")
    return [_token_use(record) for record in records if record.WhichOneof("detail") == "generation" and record.generation.HasField("ended")]


def _token_use(record: audit_record_pb2.AuditRecord) -> TokenUse:
    generation, usage = record.generation, record.generation.ended.usage
    try:
        named = UUID(generation.generation_id).bytes
    except ValueError:
        raise InvalidArgument("the generation has no id", reason="MALFORMED_MESSAGE") from None
    key = generation.budget_key if len(generation.budget_key) == BUDGET_KEY_BYTES else b""
    whose = Whose(checked_tenant(record.tenant), record.scenario, key)
    return TokenUse(
        named, record.request_id, whose, TokenCount(usage.prompt_tokens, usage.output_tokens), record.decided_time.ToMicroseconds() / 1e6
    )


def pack(body: bytes) -> bytes:
    """Return the serialised response wrapper around the owner's serialised response."""
    length, prefix = len(body), bytearray(_FIELD_1_BYTES)
    while length > 0x7F:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    return bytes(prefix) + body
