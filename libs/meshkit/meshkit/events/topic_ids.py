"""Topic ids (KIP-516): what tells a topic from a later one of the same name.

aiokafka speaks no metadata version that carries them, so the one request that does is described here: Metadata version 12, flexible
encoding. https://kafka.apache.org/protocol.html#The_Messages_Metadata
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

from meshkit.config import KafkaSettings
from meshkit.events.connection import connection


@dataclass(frozen=True, slots=True)
class TopicIdentity:
    """A topic as it is now. ``id`` is base64url as Kafka's own tools print it."""

    id: str
    partitions: frozenset[int]


class _Uuid:
    """Sixteen bytes; in Python the text that Kafka's tools show."""

    @classmethod
    def encode(cls, value: str) -> bytes:
        return raw_topic_id(value)

    @classmethod
    def decode(cls, data: BytesIO) -> str:
        return base64.urlsafe_b64encode(data.read(16)).decode().rstrip("=")

    @classmethod
    def repr(cls, value: str) -> str:
        return value


def raw_topic_id(text: str) -> bytes:
    """Return the 16 bytes of a topic id."""
    return base64.urlsafe_b64decode(text + "==")


_NO_ID = "A" * 22
_TEXT = CompactString("utf-8")


class _MetadataResponse(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", CompactArray(("node_id", Int32), ("host", _TEXT), ("port", Int32), ("rack", _TEXT), ("tags", TaggedFields))),
        ("cluster_id", _TEXT),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", _TEXT),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("topic_authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _MetadataRequest(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 12
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", _TEXT), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _TopicMetadata(Request[_MetadataRequest]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: type[_MetadataRequest]) -> _MetadataRequest:
        return request_struct_class([(_NO_ID, self._topic, {})], False, False, {})


class TopicIds:
    """Asks a broker. Use as an async context manager; raises KafkaError everywhere."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._client = AIOKafkaClient(**connection(kafka), request_timeout_ms=kafka.request_timeout_ms)

    async def __aenter__(self) -> TopicIds:
        try:
            await self._client.bootstrap()
        except BaseException:
            await self._client.close()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._client.close()

    async def identity(self, topic: str) -> TopicIdentity:
        """Return id and partitions of a topic; raises UnknownTopicOrPartitionError when there is none."""
        node = self._client.get_random_node()
        if node is None:
            raise KafkaConnectionError("no broker is known")
        answer: Any = await self._client.send(node, _TopicMetadata(topic))
        ((code, _, topic_id, _, partitions, _, _),) = answer.topics
        if code:
            raise for_code(code)()
        return TopicIdentity(topic_id, frozenset(partition[1] for partition in partitions))
