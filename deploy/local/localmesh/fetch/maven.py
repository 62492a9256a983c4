"""Jars by coordinates through Maven; `-C` makes it refuse a jar whose checksum is not the repository's."""

import re
from pathlib import Path
from xml.etree import ElementTree

from localmesh.fetch.once import MissingToolError, run, tool

HOW_MVN = "install Maven (Debian: apt install maven; macOS: brew install maven)"
HOW_JAVA = "install Java 17 or newer (Debian: apt install openjdk-17-jre-headless; macOS: brew install openjdk@17)"

OLDEST_JAVA = 17

Coordinates = tuple[str, str, str]


def java() -> str:
    """Path of `java`; MissingToolError when it is not installed."""
    return tool("java", HOW_JAVA)


def require_java(answer: str) -> None:
    """MissingToolError unless `java -version` answered 17 or more."""
    found = re.search(r'version "(\d+)', answer)
    if found is None or int(found[1]) < OLDEST_JAVA:
        raise MissingToolError(f"java is too old ({answer.splitlines()[0] if answer else 'no version'}): {HOW_JAVA}")


def copy_with_dependencies(coordinates: list[Coordinates], folder: Path) -> None:
    """All jars that the given (group, artifact, version) need at run time, into `folder`."""
    pom = folder / "pom.xml"
    pom.write_text(_pom(coordinates))
    require_java(run([java(), "-version"], folder, stderr=True))
    run(
        [tool("mvn", HOW_MVN), "-q", "-B", "-C", "-f", str(pom), "dependency:copy-dependencies",
         "-DincludeScope=runtime", f"-DoutputDirectory={folder}"], folder,
    )  # fmt: skip


def copy_one(artifact: str, folder: Path) -> None:
    """The single jar `group:artifact:version:packaging[:classifier]`, into `folder`, named without its version."""
    pom = folder / "pom.xml"
    pom.write_text(_pom([]))
    java()
    run(
        [tool("mvn", HOW_MVN), "-q", "-B", "-C", "-f", str(pom), "dependency:copy", f"-Dartifact={artifact}",
         f"-DoutputDirectory={folder}", "-Dmdep.stripVersion=true"], folder,
    )  # fmt: skip


def _pom(coordinates: list[Coordinates]) -> str:
    project = ElementTree.Element("project", xmlns="http://maven.apache.org/POM/4.0.0")
    for tag, text in (("modelVersion", "4.0.0"), ("groupId", "finmesh"), ("artifactId", "stack"), ("version", "1")):
        ElementTree.SubElement(project, tag).text = text
    dependencies = ElementTree.SubElement(project, "dependencies")
    for group, artifact, version in coordinates:
        dependency = ElementTree.SubElement(dependencies, "dependency")
        for tag, text in (("groupId", group), ("artifactId", artifact), ("version", version)):
            ElementTree.SubElement(dependency, tag).text = text
    return ElementTree.tostring(project, encoding="unicode")
