"""Writes requirements/jars.txt from jars.in: what each part needs at run time, with size and SHA-256. Part of `make locks`.

The client compares each jar with the checksum that the repository states; from then on the lock says what its bytes are.
"""

import hashlib
import sys
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from jgo.maven import Artifact, MavenContext

from localmesh.fetch import jars
from localmesh.fetch.maven import context

_HEAD = "# This file was written by `make locks` from jars.in: part, coordinates, bytes, SHA-256.\n"


def main() -> int:
    """Writes the lock anew."""
    wanted: dict[str, list[str]] = {}
    for line in filter(None, (line.partition("#")[0].strip() for line in jars.LOCK.with_suffix(".in").read_text().splitlines())):
        part, coordinates = line.split()
        wanted.setdefault(part, []).append(coordinates)
    with TemporaryDirectory() as cache:
        central = context(Path(cache), lambda _name, _size: nullcontext(lambda _bytes: None))
        lines = [_jar(artifact).line(part) for part, names in wanted.items() for artifact in _needed(central, names)]
    jars.LOCK.write_text(_HEAD + "".join(lines))
    return 0


def _needed(central: MavenContext, names: list[str]) -> list[Artifact]:
    """The artifacts themselves, and with a `+` before a name what they need at run time, as Maven resolves it; by name."""
    asked = [central.create_dependency(name.removeprefix("+")) for name in names]
    if not any(name.startswith("+") for name in names):
        return [each.artifact for each in asked]
    for each in asked:
        each.raw = True  # otherwise each is taken for a list of versions that binds the others
    given, needed = central.resolver.resolve(asked)
    found = [each.artifact for each in [*given, *needed] if each.scope in ("compile", "runtime", None) and not each.optional]
    return sorted(found, key=lambda each: (each.groupId, each.artifactId))


def _jar(artifact: Artifact) -> jars.Jar:
    content = artifact.resolve().read_bytes()
    return jars.Jar(
        group=artifact.groupId, artifact=artifact.artifactId, version=artifact.version, classifier=artifact.classifier,
        size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest(),
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
