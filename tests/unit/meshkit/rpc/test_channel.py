"""The service config that gRPC reads."""

import json

from meshkit.rpc.channel import service_config


def test_only_what_is_idempotent_is_retried_and_only_where_another_instance_may_answer() -> None:
    method = json.loads(service_config(["a.B", "a.C/Get"]))["methodConfig"][0]
    assert method["name"] == [{"service": "a.B"}, {"service": "a.C", "method": "Get"}]
    assert method["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE", "CANCELLED"]


def test_nothing_is_retried_unasked() -> None:
    assert json.loads(service_config([]))["methodConfig"] == []
