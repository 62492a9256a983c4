"""Zipkin's self-contained server jar from Maven Central."""

from pathlib import Path

from localmesh.fetch import jars, maven
from localmesh.fetch.once import once


def fetch(stack: Path) -> Path:
    """Path of the jar, named without its version."""
    folder = once(stack / f"zipkin-{jars.version('zipkin', 'zipkin-server')}", _build)
    return folder / "zipkin-server-exec.jar"


def _build(folder: Path) -> None:
    (jar,) = maven.download("zipkin", folder)
    jar.rename(folder / "zipkin-server-exec.jar")
