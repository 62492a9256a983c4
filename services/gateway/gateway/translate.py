"""Protobuf bytes and what the use case reads of them; the only module that knows wrapper messages.

The owner's response is never parsed here: it is wrapped by putting the tag of field 1 and its length before its bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from finmesh.gateway.v1 import gateway_service_pb2
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from meshkit.errors import FieldViolation, InvalidArgument

from gateway.domain.route import Route

SERVICE = gateway_service_pb2.DESCRIPTOR.services_by_name["GatewayService"]
_KEY_CHARACTERS = 200
_FIELD_1_BYTES = b"\x0a"  # field 1, wire type 2 (length-delimited)


@dataclass(frozen=True, slots=True)
class Envelope:
    """An unpacked request: ``body`` is the owner's message, always serialised alike; ``tenant`` None where the method has none."""

    tenant: str | None
    idempotency_key: str
    body: bytes


class Codec:
    """Unpacks and packs the wrappers of one route."""

    def __init__(self, route: Route, service: ServiceDescriptor = SERVICE) -> None:
        method = service.methods_by_name[route.method]
        self._request: Any = GetMessageClass(method.input_type)
        self._has_key = "idempotency_key" in method.input_type.fields_by_name
        self._tenant_path = route.tenant_path
        self._limit_bytes = route.request_bytes

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
        return Envelope(self._tenant(wrapper), key, wrapper.request.SerializeToString(deterministic=True))

    def _tenant(self, wrapper: Message) -> str | None:
        if not self._tenant_path:
            return None
        value: Any = wrapper
        for name in self._tenant_path:
            value = getattr(value, name)
        return str(value)


def pack(body: bytes) -> bytes:
    """Return the serialised response wrapper around the owner's serialised response."""
    length, prefix = len(body), bytearray(_FIELD_1_BYTES)
    while length > 0x7F:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    return bytes(prefix) + body
