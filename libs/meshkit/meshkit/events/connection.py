"""How every Kafka client of finmesh reaches its brokers: addresses, TLS, SASL, from the settings alone."""

from __future__ import annotations

import ssl
from typing import Any

from meshkit.config import KafkaSettings


def connection(kafka: KafkaSettings) -> dict[str, Any]:
    """Return the keyword arguments that all aiokafka clients share. Raises OSError when the authority's file can't be read."""
    options: dict[str, Any] = {"bootstrap_servers": kafka.bootstrap_servers, "security_protocol": kafka.security_protocol}
    if kafka.security_protocol.endswith("SSL"):
        options["ssl_context"] = ssl.create_default_context(cafile=str(kafka.authority) if kafka.authority else None)
    if kafka.security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = kafka.sasl_mechanism
        options["sasl_plain_username"] = kafka.sasl_username
        options["sasl_plain_password"] = kafka.sasl_password.get_secret_value()
    return options
