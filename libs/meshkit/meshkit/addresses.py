"""Hosts in the addresses that settings hold: gRPC targets, lists of brokers; and whether a host is this machine alone.

A name counts as local when every address that it resolves to does. One that can't be resolved does not.
"""

from __future__ import annotations

import ipaddress
import socket

_SOCKETS = ("unix:", "unix-abstract:")
_GRPC_SCHEMES = ("ipv4:", "ipv6:", "dns:")


def is_local(host: str) -> bool:
    """Whether a host is loopback, or ``unix:``, a socket of this machine. ``0.0.0.0`` and ``::`` are everywhere."""
    if host == "unix:":
        return True
    try:
        return _is_loopback(host)
    except ValueError:
        pass
    if host.rstrip(".").lower() in ("localhost", "ip6-localhost"):
        return True
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None)} if host else set()
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(_is_loopback(address) for address in found)


def _is_loopback(address: str) -> bool:
    """Raises ValueError for what is no address."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_loopback


def list_hosts(addresses: str) -> list[str]:
    """Return the hosts of a comma-separated list of host[:port], each perhaps behind ``scheme://``."""
    return [_host(address.strip().rpartition("://")[2]) for address in addresses.split(",") if address.strip()]


def grpc_hosts(target: str, without: str = "localhost") -> list[str]:
    """Return the hosts of a gRPC target or of an address to listen on; ``without``: what an address that names no host means."""
    if target.startswith(_SOCKETS):
        return ["unix:"]
    scheme = next((scheme for scheme in _GRPC_SCHEMES if target.startswith(scheme)), "")
    path = target.removeprefix(scheme)
    if scheme and path.startswith("//"):
        path = path[2:].partition("/")[2]
    return [host or without for host in list_hosts(path)] or [without]


def _host(address: str) -> str:
    """The host of host[:port], [v6][:port], or a bare v6 address."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address if address.count(":") > 1 else address.partition(":")[0]
