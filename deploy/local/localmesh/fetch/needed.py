"""What must be there before anything is downloaded: `python3 -m localmesh.fetch.needed` names all that is missing, each with how to get it.

The first thing that `make` runs, under whatever Python there is: the standard library alone, no network, nothing written.
"""

import importlib.util
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from localmesh.fetch import interpreter, java, redis
from localmesh.fetch.once import MissingToolError
from localmesh.places import ROOT

DISK_BYTES = 4_000_000_000
"""A first `make run` leaves 2.2 GB in the checkout, and as much again when uv's cache lies on another disk."""
_TRITON = {("Linux", "x86_64"), ("Linux", "aarch64")}
_OLDEST_GLIBC = (2, 34)


def missing() -> Iterator[str]:
    """A sentence for each thing that is not here and that no package brings."""
    if any(importlib.util.find_spec(name) is None for name in ("venv", "ensurepip")):
        yield "Python's venv with its pip (Debian: apt install python3-venv)"
    if (platform.system(), platform.machine()) not in _TRITON or not _new_enough():
        here = f"{platform.system()} on {platform.machine()} with {' '.join(platform.libc_ver()).strip() or 'another C library'}"
        yield f"Linux on x86-64 or ARM with glibc 2.34 or newer, which Triton Inference Server is built for, and this is {here}"
    try:
        interpreter.find()
    except interpreter.NoneFoundError as error:
        if interpreter.packaged() is None:
            yield str(error)
    except MissingToolError as error:
        yield str(error)
    if java.on_path() is None and not java.packaged():
        yield f"Java {java.OLDEST}: {java.HOW}"
    if redis.on_path() is None and not redis.packaged():
        yield f"Redis or Valkey: {redis.HOW}"
    if not _set_up() and (free := shutil.disk_usage(ROOT).free) < DISK_BYTES:
        yield f"{DISK_BYTES / 1e9:.0f} GB of free disk below {ROOT}, which has {free / 1e9:.1f}"
    if ":" in str(ROOT):
        yield f"a folder without a colon in its path, which ends an entry of PATH, and this is {ROOT}"


def _new_enough() -> bool:
    name, version = platform.libc_ver()
    return name == "glibc" and tuple(map(int, version.split("."))) >= _OLDEST_GLIBC


def _set_up() -> bool:
    """Whether most of the disk is spent already."""
    return Path(ROOT, ".stack", ".fetched").exists()


def main() -> int:
    """Exit status 1 with a line for each thing that is missing, on standard error."""
    found = list(missing())
    if found:
        sys.stderr.write("".join(f"{line}\n" for line in ["missing, and nothing was downloaded:", *(f"  {each}" for each in found)]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
