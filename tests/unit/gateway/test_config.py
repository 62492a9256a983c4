"""What the gateway's settings may not say."""

from __future__ import annotations

from gateway.config import GatewayConfig
from meshkit.links import problems


def test_the_http_door_is_in_clear_text_on_loopback_alone() -> None:
    assert not problems(GatewayConfig(http_listen="127.0.0.1:8444", allow_development_keys=True))
    for listen in ("0.0.0.0:8444", ":8444", "10.0.0.1:8444"):
        found = problems(GatewayConfig(http_listen=listen, allow_development_keys=True))
        assert found == ["FINMESH_HTTP_LISTEN: outside of loopback without FINMESH_TLS__*"]
