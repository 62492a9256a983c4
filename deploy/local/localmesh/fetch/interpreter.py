"""Which Python runs Triton's stub: 3.11 or 3.12 with its shared library, the one that asks or another that is found on this machine.

Under numpy 2 the stub answers empty outputs, and numpy 1.26 has no wheel for 3.13: built from source it takes minutes. Where none is
found, `python` brings one. `make` asks before anything is installed: this imports the standard library alone.
"""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from localmesh.fetch.once import MissingToolError

VERSIONS = ("3.12", "3.11")
CHOSEN = "TRITON_PYTHON"
_TIMEOUT_S = 20.0
_PACKAGED = {("Linux", "x86_64"): "python-linux-x86_64", ("Linux", "aarch64"): "python-linux-aarch64"}
_QUESTION = (
    "import json, sys, sysconfig as s;"
    "print(json.dumps(['%d.%d' % sys.version_info[:2], sys.executable, s.get_config_var('LIBDIR'), sys.base_prefix + '/lib',"
    " '/usr/lib/' + (s.get_config_var('MULTIARCH') or '')]))"
)


class NoneFoundError(MissingToolError):
    """No Python of this machine can run the stub, and none was named that shall."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python that answered. `library` is the folder of the libpython that the stub links to, None when it was built without."""

    program: Path
    version: str
    library: Path | None

    @property
    def usable(self) -> bool:
        return self.version in VERSIONS and self.library is not None


def probe(program: Path) -> Interpreter | None:
    """What `program` is; None when it isn't there or is no Python (pyenv's shims are programs that only say so)."""
    try:
        done = subprocess.run([program, "-I", "-c", _QUESTION], capture_output=True, timeout=_TIMEOUT_S, check=True)
        version, executable, *folders = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    held = (folder for folder in folders if folder and os.path.exists(f"{folder}/libpython{version}.so.1.0"))  # noqa: PTH110 - where we may not look it says False
    library = next(held, None)
    return Interpreter(Path(executable), version, Path(library) if library else None)


def find(environment: Mapping[str, str] = os.environ, own: Path | None = None) -> Interpreter:
    """The one that TRITON_PYTHON names, else `own` (this process's), else the first found that can.

    NoneFoundError when none can, MissingToolError when the named one can't.
    """
    if chosen := environment.get(CHOSEN):
        named = probe(Path(chosen))
        if named is None or not named.usable:
            raise MissingToolError(f"{CHOSEN}={chosen} {_verdict(named)}: {_NEEDED}")
        return named
    first = probe(own or Path(sys.executable))
    for found in (first, *map(probe, _candidates(environment))):
        if found is not None and found.usable:
            return found
    raise NoneFoundError(
        f"{_NEEDED}; this Python {_verdict(first)}, and no other was found. Install one beside it (Debian 12:"
        f" apt install python3.11 libpython3.11; anywhere: uv python install 3.12) or name one: make {CHOSEN}=/path/to/python3.12"
    )


_NEEDED = "Triton's Python stub needs Python 3.11 or 3.12 with its shared library"


def _verdict(found: Interpreter | None) -> str:
    if found is None:
        return "is no Python that runs"
    return f"is {found.version}" if found.version not in VERSIONS else f"is {found.version} without libpython{found.version}.so.1.0"


def _candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    """On PATH, every one and not just the first, because a shim may hide one that works; then what pyenv and uv have installed."""
    home = Path(environment.get("HOME", "/nonexistent"))
    folders = [Path(entry) for entry in environment.get("PATH", "").split(os.pathsep) if entry] + [Path("/usr/local/bin"), Path("/usr/bin")]
    kept = {
        Path(environment.get("PYENV_ROOT") or home / ".pyenv") / "versions": "",
        Path(environment.get("UV_PYTHON_INSTALL_DIR") or home / ".local" / "share" / "uv" / "python"): "cpython-",
    }
    for version in VERSIONS:
        yield from (folder / f"python{version}" for folder in folders)
        for root, prefix in kept.items():
            yield from sorted(root.glob(f"{prefix}{version}*/bin/python{version}"), reverse=True)


def packaged() -> str | None:
    """The part of requirements/jars.txt with a Python for this kind of machine."""
    return _PACKAGED.get((platform.system(), platform.machine())) if platform.libc_ver()[0] == "glibc" else None
