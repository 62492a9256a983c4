"""Certificates of a test: an authority of its own, one certificate a workload."""

import datetime as dt
from pathlib import Path

from engine.handoff.tls import TlsEnd
from provisioning.certificates import new_authority, new_leaf, write

NOW = dt.datetime.now(dt.UTC)


def tls_end(folder: Path, identity: str, *allowed: str, authority: str = "authority") -> TlsEnd:
    """One end, whose certificate another authority may have issued."""
    from provisioning.certificates import read

    folder.mkdir(exist_ok=True)
    if (pair := read(folder, authority)) is None:
        pair = new_authority(NOW)
        write(folder, authority, pair)
    name = f"{identity}.{authority}"
    write(folder, name, new_leaf(identity, pair, NOW))
    return TlsEnd(folder / f"{name}.pem", folder / f"{name}.key", folder / f"{authority}.pem", allowed)


def tls_ends(folder: Path) -> tuple[TlsEnd, TlsEnd]:
    """Publisher's and puller's, as in the mesh."""
    return (
        tls_end(folder, "inference-prefill", "inference-decode"),
        tls_end(folder, "inference-decode", "inference-prefill"),
    )
