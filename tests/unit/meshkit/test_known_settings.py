"""Typing errors are named with what was meant; what any of our programs reads is no error."""

from __future__ import annotations

import pytest
from meshkit.config import KafkaSettings, ServiceConfig
from meshkit.known_settings import by_service, unknown
from meshkit.service import load_config


class Settings(ServiceConfig):
    """A process with one group."""

    kafka: KafkaSettings = KafkaSettings()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("FINMESH_LISTN", "FINMESH_LISTEN"),
        ("FINMESH_KAFKA_BOOTSTRAP_SERVERS", "FINMESH_KAFKA__BOOTSTRAP_SERVERS"),
        ("FINMESH_REDIS__URLS", "FINMESH_REDIS__URL"),
        ("finmesh_redis_prefx", "FINMESH_REDIS_PREFIX"),
        ("FINMESH_完全不同", ""),
    ],
)
def test_a_typing_error_is_named(given, meant) -> None:
    assert unknown([given], Settings.model_fields) == {given: meant}


def test_the_root_secret_of_old_is_nobody_s_setting() -> None:
    assert set(unknown(["FINMESH_KEYS__SECRET", "FINMESH_KEYS__ID"], Settings.model_fields)) == {"FINMESH_KEYS__SECRET", "FINMESH_KEYS__ID"}


def test_what_another_program_reads_is_no_error() -> None:
    """Processes share an environment."""
    names = frozenset[str]().union(*by_service().values())
    assert {
        "FINMESH_AUDIT__ORIGIN",
        "FINMESH_QUOTA__READ_PER_S",
        "FINMESH_QUOTA",
        "FINMESH_PORT_KAFKA",
        "FINMESH_PORT_RISK_RPC_METRICS",
        "FINMESH_TOKEN",
        "FINMESH_VAR",
    } <= names
    assert unknown([*names, "finmesh_audit__origin", "PATH", "OTEL_SERVICE_NAME"], Settings.model_fields) == {}


def test_a_process_warns_and_starts(monkeypatch, capsys) -> None:
    monkeypatch.setenv("FINMESH_SHUTDOWN_GRACE", "password-of-somebody")
    assert load_config(Settings).kafka.topic_prefix == ""
    said = capsys.readouterr().err
    assert "FINMESH_SHUTDOWN_GRACE is no setting of any service; is FINMESH_SHUTDOWN_GRACE_S meant?" in said
    assert "password" not in said


def test_an_unknown_name_inside_a_group_is_refused(monkeypatch, capsys) -> None:
    monkeypatch.setenv("FINMESH_KAFKA__BOOTSTRAP_SERVER", "a:1")
    with pytest.raises(SystemExit) as ended:
        load_config(Settings)
    assert ended.value.code == 2
    assert "kafka__bootstrap_server" in capsys.readouterr().err
