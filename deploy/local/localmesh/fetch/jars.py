"""Jars by coordinates, size and SHA-256, as requirements/jars.txt lists them for each part. Imports the standard library alone: `make` asks
before anything is installed; `maven` downloads them.
"""

from dataclasses import dataclass

from localmesh.places import ROOT

LOCK = ROOT / "requirements" / "jars.txt"


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock. `sha256` in hexadecimal, `classifier` empty for an artifact without one."""

    group: str
    artifact: str
    version: str
    classifier: str
    size_bytes: int
    sha256: str

    @property
    def coordinates(self) -> str:
        """`group:artifact:version[:classifier]`."""
        return ":".join(filter(None, (self.group, self.artifact, self.version, self.classifier)))

    @property
    def file(self) -> str:
        """What repositories call it."""
        return "-".join(filter(None, (self.artifact, self.version, self.classifier))) + ".jar"

    def line(self, part: str) -> str:
        """Its line in the lock."""
        return f"{part} {self.coordinates} {self.size_bytes} sha256:{self.sha256}\n"


def parse(text: str) -> dict[str, list[Jar]]:
    """The jars of each part, in the order of the lines. Raises ValueError for a line that is none."""
    parts: dict[str, list[Jar]] = {}
    for line in filter(None, (line.partition("#")[0].strip() for line in text.splitlines())):
        part, coordinates, size, digest = line.split()
        group, artifact, version, *classifier = coordinates.split(":")
        jar = Jar(
            group=group, artifact=artifact, version=version, classifier=":".join(classifier),
            size_bytes=int(size), sha256=digest.removeprefix("sha256:"),
        )  # fmt: skip
        if len(bytes.fromhex(jar.sha256)) != 32 or ":" in jar.classifier:
            raise ValueError(f"no jar: {line}")
        parts.setdefault(part, []).append(jar)
    return parts


def locked(part: str) -> list[Jar]:
    """Those of one part; LookupError when there is none, as for a kind of machine that a program was not built for."""
    parts = parse(LOCK.read_text(encoding="utf-8"))
    if part not in parts:
        raise LookupError(f"{part} is not in {LOCK}")
    return parts[part]


def version(part: str, artifact: str) -> str:
    """Version of one artifact of a part."""
    (found,) = {jar.version for jar in locked(part) if jar.artifact == artifact}
    return found
