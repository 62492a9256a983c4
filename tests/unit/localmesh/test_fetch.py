import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from localmesh.fetch import redis, wheel
from localmesh.fetch.maven import _pom, copy_one, require_java
from localmesh.fetch.once import MissingToolError, once, run


def test_a_folder_is_built_once(tmp_path: Path) -> None:
    builds = []

    def build(folder: Path) -> None:
        builds.append(folder)
        (folder / "jar").touch()

    assert once(tmp_path / "kafka-1", build) == once(tmp_path / "kafka-1", build) == tmp_path / "kafka-1"
    assert len(builds) == 1
    assert (tmp_path / "kafka-1" / "jar").exists()


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def build(folder: Path) -> None:
        (folder / "half").touch()
        raise RuntimeError("no network")

    with pytest.raises(RuntimeError, match="no network"):
        once(tmp_path / "kafka-1", build)
    assert list(tmp_path.iterdir()) == []


def test_of_two_builders_at_once_one_result_stays(tmp_path: Path) -> None:
    target = tmp_path / "kafka-1"

    def build(folder: Path) -> None:
        (folder / "slow").touch()
        once(target, lambda other: (other / "fast").touch())

    once(target, build)
    assert [file.name for file in target.iterdir()] == ["fast"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_missing_program_is_named_with_the_way_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match=r"java .*apt install openjdk"):
        copy_one("a:b:1:jar", tmp_path)


def test_a_failing_program_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no such option xyz"):
        run(["sh", "-c", "echo no such option xyz >&2; exit 3"], tmp_path)


def test_the_generated_pom_names_its_dependencies() -> None:
    project = ElementTree.fromstring(_pom([("org.apache.kafka", "kafka_2.13", "4.1.1")]))
    space = "{http://maven.apache.org/POM/4.0.0}"
    assert [e.text for e in project.iterfind(f"{space}dependencies/{space}dependency/*")] == ["org.apache.kafka", "kafka_2.13", "4.1.1"]


def test_wheels_are_pinned_with_hashes() -> None:
    assert wheel.version("nvidia-pytriton")
    lines = wheel._lines_of("nvidia-pytriton").splitlines()
    assert lines[0].startswith("nvidia-pytriton==")
    assert len(lines) > 1
    assert all("--hash=sha256:" in line for line in lines[1:])
    with pytest.raises(LookupError):
        wheel.version("redis")


@pytest.mark.parametrize("answer, version", [("Redis server v=7.0.15 sha=0", (7, 0)), ("Redis server v=6.0.16", (6, 0)), ("?", (0, 0))])
def test_the_version_of_a_redis_server_is_read(answer: str, version: tuple[int, int]) -> None:
    assert redis.version_of(answer) == version


@pytest.mark.parametrize("version, taken", [("6.2.0", True), ("6.0.16", False)])
def test_a_redis_server_on_path_is_used_when_new_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, taken: bool) -> None:
    program = tmp_path / "redis-server"
    program.write_text(f"#!{shutil.which('sh')}\necho Redis server v={version} sha=0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis.on_path() == (program if taken else None)


@pytest.mark.parametrize(
    "system, machine, name", [("Linux", "x86_64", "redis-server-7-linux-amd64"), ("Darwin", "arm64", "redis-server-6-darwin-arm64")]
)
def test_the_redis_server_of_this_machine_is_taken(system: str, machine: str, name: str) -> None:
    names = [
        "META-INF/",
        "redis-server-6-linux-arm64",
        "redis-server-7-linux-amd64",
        "redis-server-6-darwin-arm64",
        "redis-server-5-windows-amd64.exe",
    ]
    assert redis.program_for(names, system, machine) == name


@pytest.mark.parametrize("system, machine", [("Linux", "riscv64"), ("Windows", "AMD64")])
def test_a_machine_without_a_redis_server_is_told_what_to_install(system: str, machine: str) -> None:
    with pytest.raises(MissingToolError, match="install Redis"):
        redis.program_for(["redis-server-7-linux-amd64", "redis-server-5-windows-amd64.exe"], system, machine)


def test_an_old_java_is_refused_and_a_new_one_taken() -> None:
    require_java('openjdk version "17.0.15" 2025-04-15\n')
    with pytest.raises(MissingToolError, match=r"too old.*1\.8"):
        require_java('java version "1.8.0_202"\n')
