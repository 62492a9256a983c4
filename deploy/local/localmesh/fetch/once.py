"""A folder of `.stack/` is made in full or not at all.

It is built under a temporary name and renamed; its name carries the version, so a finished folder is never changed and needs
no stamp. Two builders at once: of one process the second waits, of two the loser of the rename throws its copy away.
"""

import os
import shutil
import subprocess
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

UTF_8 = {"LC_ALL": "C.UTF-8"}
"""For programs that take the encoding of file names from the locale (Java, the Python in Triton): under plain C they know ASCII alone."""


_BUILDING: dict[Path, threading.RLock] = defaultdict(threading.RLock)


class MissingToolError(Exception):
    """A program that must be installed by hand; the message says which and how."""


def once(target: Path, build: Callable[[Path], None]) -> Path:
    """Returns `target`, made by `build(empty folder)` unless it exists. What `build` raises leaves nothing behind."""
    with _BUILDING[target]:
        return target if target.exists() else _made(target, build)


def _made(target: Path, build: Callable[[Path], None]) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        scratch.chmod(0o755)
        build(scratch)
        scratch.rename(target)
    except OSError:
        if not target.exists():
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def tool(name: str, how: str) -> str:
    """Path of a program on PATH; MissingToolError with `how` to install it."""
    found = shutil.which(name)
    if found is None:
        raise MissingToolError(f"{name} is not on PATH: {how}")
    return found


def run(command: Sequence[str], cwd: Path, *, stderr: bool = False) -> str:
    """Standard output (or standard error instead); RuntimeError with everything the program said when it fails."""
    done = subprocess.run(command, cwd=cwd, env=os.environ | UTF_8, capture_output=True, encoding="utf-8", errors="replace", check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed ({done.returncode}):\n{done.stdout}{done.stderr}")
    return done.stderr if stderr else done.stdout
