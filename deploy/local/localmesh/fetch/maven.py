"""Downloads jars of the lock from a Maven repository through jgo, a client in Python: no Maven and no Java is needed.

The repository is the one that FINMESH_MAVEN_REPOSITORY names, else the mirror of Maven Central in the user's Maven settings, else Maven
Central, whose address the client knows. Whichever it is, a jar counts only when its bytes have the SHA-256 of the lock.
"""

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

from jgo.maven import MavenContext, PythonResolver

from localmesh.fetch.jars import Jar, locked
from localmesh.fetch.progress import Meter

REPOSITORY = "FINMESH_MAVEN_REPOSITORY"
SETTINGS = Path(".m2", "settings.xml")
_TIMEOUT_S = 60
_TRIES = 3


def download(part: str, folder: Path) -> list[Path]:
    """All jars of a part into `folder`. RuntimeError when one can't be had or is another than the lock says, OSError without a network."""
    jars = locked(part)
    meter = Meter(part, sum(jar.size_bytes for jar in jars))
    with TemporaryDirectory(prefix=".maven-", dir=folder) as cache:
        central = context(Path(cache), lambda _name, _size: nullcontext(meter.add))
        found = [_checked(_resolved(central, jar, meter), jar).replace(folder / jar.file) for jar in jars]
    meter.done()
    return found


def context(cache: Path, watch: Callable[[str, int], AbstractContextManager[Callable[[int], None]]]) -> MavenContext:
    """The client, keeping what it downloads in `cache` alone; `watch` is told of each file and answers what is told its bytes."""
    given = repository()
    return MavenContext(
        resolver=PythonResolver(progress_callback=watch), repo_cache=cache, local_repos=[],
        remote_repos={"chosen": given} if given else None, timeout=_TIMEOUT_S,
    )  # fmt: skip


def repository(environment: Mapping[str, str] = os.environ) -> str | None:
    """Address of the repository to ask instead of Maven Central, None when nobody chose one. RuntimeError for settings that are no XML."""
    if given := environment.get(REPOSITORY):
        return given.rstrip("/")
    settings = Path(environment.get("HOME", "/nonexistent")) / SETTINGS
    try:
        mirrors = ElementTree.fromstring(settings.read_bytes()).iterfind("{*}mirrors/{*}mirror")  # noqa: S314 - the user's own file
    except OSError:
        return None
    except ElementTree.ParseError as error:
        raise RuntimeError(f"{settings} is no XML ({error}): mend it, or set {REPOSITORY}") from None
    for mirror in mirrors:
        address, of = (mirror.findtext(f"{{*}}{tag}") or "" for tag in ("url", "mirrorOf"))
        if address and _holds_central(of):
            return re.sub(r"\$\{env\.(\w+)\}", lambda name: environment.get(name[1], ""), address).strip().rstrip("/")
    return None


def _holds_central(mirror_of: str) -> bool:
    """Whether a mirror of these repositories, as Maven writes them, is one of Maven Central."""
    names = {name.strip() for name in mirror_of.split(",")}
    return "!central" not in names and not names.isdisjoint({"central", "*", "external:*"})


def _resolved(central: MavenContext, jar: Jar, meter: Meter) -> Path:
    """The file in the client's cache. A connection that breaks is tried again; what came of the file till then is thrown away."""
    artifact = central.project(jar.group, jar.artifact).at_version(jar.version).artifact(jar.classifier, "jar")
    before = meter.done_bytes
    for left in reversed(range(_TRIES)):
        try:
            return Path(artifact.resolve())
        except OSError:  # requests' errors are among these
            meter.done_bytes = before
            if artifact.cached_path is not None:
                artifact.cached_path.unlink(missing_ok=True)
            if not left:
                raise
    raise AssertionError


def _checked(path: Path, jar: Jar) -> Path:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != jar.sha256:
        raise RuntimeError(f"{jar.coordinates} has the SHA-256 {found}, not the {jar.sha256} of requirements/jars.txt")
    return path
