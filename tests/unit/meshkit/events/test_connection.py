"""Kafka clients are reached as the settings say, with the certificate of the day."""

import asyncio
import datetime as dt
import ssl
from pathlib import Path

import pytest
import uvloop
from cryptography import x509
from meshkit.config import KafkaSettings
from meshkit.errors import FailedPrecondition
from meshkit.events.connection import connection
from provisioning import certificates


def test_plain_text_needs_addresses_alone():
    assert connection(KafkaSettings(bootstrap_servers="a:1,b:2")) == {"bootstrap_servers": "a:1,b:2", "security_protocol": "PLAINTEXT"}


def test_sasl_over_tls_checks_the_broker_and_names_the_user():
    options = connection(KafkaSettings(security_protocol="SASL_SSL", sasl_username="finmesh", sasl_password="secret"))
    context = options.pop("ssl_context")
    assert context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("finmesh", "secret")


def test_an_authority_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FailedPrecondition, match=r"none\.pem"):
        connection(KafkaSettings(security_protocol="SSL", authority=tmp_path / "none.pem"))


def test_the_password_does_not_show_itself():
    assert "secret" not in repr(KafkaSettings(sasl_password="secret"))


async def shown_certificates(folder: Path) -> None:
    """A listener that wants certificates, and what it is shown by connections of one context while the files change."""
    listening = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "authority.pem"))
    listening.verify_mode = ssl.CERT_REQUIRED
    listening.load_cert_chain(folder / "audit.pem", folder / "audit.key")
    shown: asyncio.Queue[int] = asyncio.Queue()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        shown.put_nowait(x509.load_der_x509_certificate(certificate).serial_number)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(accepted, "127.0.0.1", 0, ssl=listening)
    port = server.sockets[0].getsockname()[1]
    files = {"authority": folder / "authority.pem", "certificate": folder / "simbank.pem", "key": folder / "simbank.key"}

    async def connect() -> int:
        context = connection(KafkaSettings(security_protocol="SSL", **files))["ssl_context"]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        await reader.read()
        writer.close()
        await writer.wait_closed()
        return await shown.get()

    first = await connect()
    pair = certificates.new_leaf("simbank", certificates.read(folder, "authority"), dt.datetime.now(dt.UTC))
    certificates.write_private(folder / "simbank.key", certificates.private_pem(pair.key))  # half of the change
    assert await connect() == first
    certificates.write(folder, "simbank", pair)
    assert await connect() == pair.certificate.serial_number != first
    (folder / "simbank.pem").write_text("证书")
    assert await connect() == pair.certificate.serial_number
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_each_connection_shows_the_newest_good_certificate(run, tmp_path):
    certificates.ensure_certificates(tmp_path, dt.datetime.now(dt.UTC))
    run(shown_certificates(tmp_path))


def test_brokers_of_another_authority_are_refused(tmp_path):
    for name in ("ours", "theirs"):
        certificates.ensure_certificates(tmp_path / name, dt.datetime.now(dt.UTC))

    async def refused() -> None:
        listening = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        listening.load_cert_chain(tmp_path / "theirs/audit.pem", tmp_path / "theirs/audit.key")
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0, ssl=listening)
        context = connection(KafkaSettings(security_protocol="SSL", authority=tmp_path / "ours/authority.pem"))["ssl_context"]
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection(*server.sockets[0].getsockname(), ssl=context)
        server.close()
        await server.wait_closed()

    asyncio.run(refused())
