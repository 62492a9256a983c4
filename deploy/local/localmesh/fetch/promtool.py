"""A promtool, for the tests of alerts: the one on PATH, else that of Debian's package `prometheus`, which is not installed for it.

Not part of the stack that `make up` fetches: only the contract tests ask for it. Where there is neither, it has to be put on PATH.
"""

import shutil
from pathlib import Path

from localmesh.fetch.once import MissingToolError, once, run, tool

HOW = "put Prometheus' promtool there (package `prometheus` of your system), or run where apt-get can download it"


def fetch(stack: Path) -> Path:
    """Path of a promtool program. Raises MissingToolError."""
    found = shutil.which("promtool")
    return Path(found) if found else once(stack / "promtool", _build) / "usr/bin/promtool"


def _build(folder: Path) -> None:
    apt, unpack = tool("apt-get", HOW), tool("dpkg-deb", HOW)
    lists = ["-o", f"Dir::State::lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache", "-o", "APT::Sandbox::User="]
    try:
        try:
            run([apt, "download", "prometheus"], folder)
        except RuntimeError:  # a system whose lists were never read: into a folder of our own, without touching its
            for needed in ("lists/partial", "cache/archives/partial"):
                (folder / needed).mkdir(parents=True, exist_ok=True)
            run([apt, *lists, "update"], folder)
            run([apt, *lists, "download", "prometheus"], folder)
    except RuntimeError as error:
        raise MissingToolError(f"promtool is not on PATH: {HOW}\n{error}") from None
    (package,) = folder.glob("prometheus_*.deb")
    run([unpack, "-x", str(package), str(folder)], folder)
    for other in [
        package,
        folder / "usr/bin/prometheus",
        *(folder / each for each in ("lists", "cache", "etc", "lib", "var", "usr/share")),
    ]:
        if other.is_dir():
            shutil.rmtree(other)
        else:
            other.unlink(missing_ok=True)
