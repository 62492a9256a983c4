"""Zipkin's self-contained server jar from Maven Central."""

from pathlib import Path

from localmesh.fetch.maven import copy_one
from localmesh.fetch.once import once

ZIPKIN = "3.6.1"


def fetch(stack: Path) -> Path:
    """Path of the jar."""
    folder = once(stack / f"zipkin-{ZIPKIN}", lambda scratch: copy_one(f"io.zipkin:zipkin-server:{ZIPKIN}:jar:exec", scratch))
    (jar,) = folder.glob("*.jar")
    return jar
