"""Which addresses a gRPC target stands for: every one of them is an instance that is spoken to on its own.

``ipv4:a:1,b:2`` and ``ipv6:…`` are lists; ``host:port``, perhaps with ``dns:`` before it, is every address of that name, a headless
service's for instance.
"""

from __future__ import annotations

import asyncio
import socket


async def instances(target: str) -> frozenset[str]:
    """Return addresses as gRPC takes them, without a scheme. Raises OSError when a name can't be resolved."""
    for scheme in ("ipv4:", "ipv6:"):
        if target.startswith(scheme):
            return frozenset(address.strip() for address in target.removeprefix(scheme).split(",") if address.strip())
    if target.startswith(("unix:", "unix-abstract:")):
        return frozenset({target})
    host, _, port = target.removeprefix("dns:").removeprefix("///").rpartition(":")
    found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    return frozenset(_address(family, str(where[0]), where[1]) for family, *_, where in found)


def _address(family: int, host: str, port: object) -> str:
    return f"[{host}]:{port}" if family == socket.AF_INET6 else f"{host}:{port}"
