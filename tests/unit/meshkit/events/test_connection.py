"""Kafka clients are reached as the settings say."""

import ssl

import pytest
from meshkit.config import KafkaSettings
from meshkit.events.connection import connection


def test_plain_text_needs_addresses_alone():
    assert connection(KafkaSettings(bootstrap_servers="a:1,b:2")) == {"bootstrap_servers": "a:1,b:2", "security_protocol": "PLAINTEXT"}


def test_sasl_over_tls_checks_the_broker_and_names_the_user():
    options = connection(KafkaSettings(security_protocol="SASL_SSL", sasl_username="finmesh", sasl_password="secret"))
    context = options.pop("ssl_context")
    assert context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("finmesh", "secret")


def test_an_authority_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(OSError):
        connection(KafkaSettings(security_protocol="SSL", authority=tmp_path / "none.pem"))


def test_the_password_does_not_show_itself():
    assert "secret" not in repr(KafkaSettings(sasl_password="secret"))
