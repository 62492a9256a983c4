"""Where things are in this repository, for the contract tests: tracked files as git sees them, and the folders on the import path."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

IMPORT_ROOTS = (
    "libs/contracts/gen",
    *sorted(path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("libs/*/pyproject.toml") if path.parent.name != "contracts"),
    *sorted(path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("services/*/pyproject.toml")),
    "deploy/provisioning",
    "deploy/local",
    "drills",
    "cli",
)


@cache
def tracked_files() -> tuple[Path, ...]:
    """Return every tracked file that exists, and every file that git does not ignore: what a commit would hold."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"], check=True, capture_output=True
    ).stdout.decode()
    paths = (ROOT / name for name in listed.split("\0") if name)
    return tuple(sorted(path for path in paths if path.is_file()))


def relative(path: Path) -> str:
    """Return the path as git writes it."""
    return path.relative_to(ROOT).as_posix()
