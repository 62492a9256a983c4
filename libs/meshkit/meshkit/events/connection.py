"""How every Kafka client of finmesh reaches its brokers: addresses, TLS, SASL, from the settings alone."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable
from typing import Any, Protocol

from meshkit.config import KafkaSettings
from meshkit.events import header_keys

log = logging.getLogger(__name__)
_STOP_S = 3.0


class Client(Protocol):
    """A producer or consumer of aiokafka."""

    def stop(self) -> Awaitable[None]:
        """Close its connections."""
        ...


def connection(kafka: KafkaSettings) -> dict[str, Any]:
    """Return the keyword arguments that all aiokafka clients share. Raises OSError when the authority's file can't be read."""
    header_keys.install()
    options: dict[str, Any] = {"bootstrap_servers": kafka.bootstrap_servers, "security_protocol": kafka.security_protocol}
    if kafka.security_protocol.endswith("SSL"):
        options["ssl_context"] = ssl.create_default_context(cafile=str(kafka.authority) if kafka.authority else None)
    if kafka.security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = kafka.sasl_mechanism
        options["sasl_plain_username"] = kafka.sasl_username
        options["sasl_plain_password"] = kafka.sasl_password.get_secret_value()
    return options


async def stopped(client: Client) -> None:
    """Stop a client within seconds, whatever state its broker is in; raises nothing but our own cancellation.

    While the broker is away aiokafka's own cancelled fetches escape from ``stop`` as if the caller were cancelled.
    """
    stopping = asyncio.ensure_future(client.stop())
    done, _ = await asyncio.wait({stopping}, timeout=_STOP_S)
    if not done:
        stopping.cancel()
        log.warning("a client did not stop in time")
    elif stopping.cancelled() or stopping.exception() is not None:
        log.warning("a client did not stop cleanly")
