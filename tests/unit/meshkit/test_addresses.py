"""Which hosts an address names, and which of them are this machine alone."""

import socket
from typing import Any

import pytest
from meshkit.addresses import grpc_hosts, is_local, list_hosts


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "0:0:0:0:0:0:0:1", "localhost", "LOCALHOST", "localhost.", "unix:"]
)
def test_local(host: str) -> None:
    assert is_local(host)


NAMES = ["", "*", "no-such-host.invalid", "银行", "a" * 300]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "::ffff:10.0.0.1", "169.254.1.1", "fe80::1%eth0", "fd00::1", *NAMES])
def test_not_local(host: str) -> None:
    assert not is_local(host)


@pytest.mark.parametrize(("addresses", "local"), [(["127.0.0.1"], True), (["127.0.0.1", "::1"], True), (["127.0.0.1", "10.0.0.1"], False)])
def test_a_name_is_local_when_all_its_addresses_are(monkeypatch: pytest.MonkeyPatch, addresses: list[str], local: bool) -> None:
    found: list[Any] = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port: found if host == "kafka.test" else [])
    assert is_local("kafka.test") is local


@pytest.mark.parametrize(
    ("addresses", "hosts"),
    [
        ("127.0.0.1:9092", ["127.0.0.1"]),
        ("a:1,b:2 , [::1]:3,::1,c", ["a", "b", "::1", "::1", "c"]),
        ("SSL://a:1,PLAINTEXT://[fd00::1]:2", ["a", "fd00::1"]),
        ("", []),
        (",", []),
    ],
)
def test_lists(addresses: str, hosts: list[str]) -> None:
    assert list_hosts(addresses) == hosts


@pytest.mark.parametrize(
    ("target", "hosts"),
    [
        ("triton:8001", ["triton"]),
        ("127.0.0.1:1", ["127.0.0.1"]),
        ("[::1]:1", ["::1"]),
        ("dns:///a:1", ["a"]),
        ("dns:a:1", ["a"]),
        ("dns://8.8.8.8/a:1", ["a"]),
        ("ipv4:127.0.0.1:1,10.0.0.1:2", ["127.0.0.1", "10.0.0.1"]),
        ("ipv4:///127.0.0.1:1", ["127.0.0.1"]),
        ("ipv6:[::1]:1,[fd00::1]:2", ["::1", "fd00::1"]),
        ("unix:/run/x.sock", ["unix:"]),
        ("unix:///run/x.sock", ["unix:"]),
        ("unix-abstract:x", ["unix:"]),
        (":50061", ["everywhere"]),
        ("", ["everywhere"]),
    ],
)
def test_grpc_targets(target: str, hosts: list[str]) -> None:
    assert grpc_hosts(target, "everywhere") == hosts
