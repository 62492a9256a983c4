"""Jars by coordinates out of a made-up repository on this machine."""

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from localmesh.fetch import jars, maven
from localmesh.fetch.jars import Jar, parse
from localmesh.ports import LOOPBACK

CONTENT = b"PK" + bytes(range(256)) * 400


class Repository:
    """Serves one jar; `broken`: how often the connection ends halfway."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.broken = 0
        ours = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                ours.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self.address = f"http://{LOOPBACK}:{self.server.server_port}/maven2"

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        self.asked.append(handler.path)
        checksum = handler.path.endswith(".sha1")
        body = hashlib.sha1(CONTENT).hexdigest().encode() if checksum else CONTENT
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if self.broken and not checksum:
            self.broken -= 1
            body = body[:1000]
        handler.wfile.write(body)
        handler.close_connection = True


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    repository = Repository()
    thread = threading.Thread(target=repository.server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv(maven.REPOSITORY, repository.address + "/")
    yield repository
    repository.server.shutdown()
    thread.join()
    repository.server.server_close()


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock of one jar, with its true digest."""
    file = tmp_path / "jars.txt"
    file.write_text(Jar("com.example.账", "tool", "1.0", "exec", len(CONTENT), hashlib.sha256(CONTENT).hexdigest()).line("part"))
    monkeypatch.setattr(jars, "LOCK", file)
    return file


def folder(tmp_path: Path) -> Path:
    made = tmp_path / "我的 jars"
    made.mkdir()
    return made


def test_a_jar_comes_from_the_repository_that_was_chosen(repository: Repository, lock: Path, tmp_path: Path) -> None:
    (jar,) = maven.download("part", folder(tmp_path))
    assert (jar.name, jar.read_bytes()) == ("tool-1.0-exec.jar", CONTENT)
    assert [each.name for each in jar.parent.iterdir()] == [jar.name]
    assert repository.asked[0].endswith("/tool/1.0/tool-1.0-exec.jar")


def test_another_jar_than_the_lock_says_is_refused(repository: Repository, lock: Path, tmp_path: Path) -> None:
    """The repository's own checksum agrees with it: whoever can change one can change both."""
    lock.write_text(lock.read_text().replace(hashlib.sha256(CONTENT).hexdigest(), "ab" * 32))
    with pytest.raises(RuntimeError, match=r"tool:1\.0:exec has the SHA-256 .*, not the abab"):
        maven.download("part", into := folder(tmp_path))
    assert not list(into.iterdir())


def test_a_connection_that_breaks_is_tried_again(repository: Repository, lock: Path, tmp_path: Path) -> None:
    repository.broken = 2
    (jar,) = maven.download("part", folder(tmp_path))
    assert jar.read_bytes() == CONTENT


def test_a_repository_that_always_breaks_ends_it(repository: Repository, lock: Path, tmp_path: Path) -> None:
    repository.broken = 1_000
    with pytest.raises(OSError, match="IncompleteRead"):
        maven.download("part", folder(tmp_path))
    assert len(repository.asked) == 3


SETTINGS = """<settings xmlns="http://maven.apache.org/SETTINGS/1.0.0"><mirrors>
<mirror><id>other</id><mirrorOf>{first}</mirrorOf><url>https://first.example/maven</url></mirror>
<mirror><id>ours</id><mirrorOf>{second}</mirrorOf><url>https://${{env.MIRROR_HOST}}/maven/</url></mirror>
</mirrors></settings>"""


@pytest.mark.parametrize(
    "first, second, chosen",
    [
        ("jcenter", "central", "https://mirror.example/maven"),
        ("*,!central", "external:*", "https://mirror.example/maven"),
        ("*", "central", "https://first.example/maven"),
        ("jcenter, central", "*", "https://first.example/maven"),
        ("jcenter", "external:http:*", None),
    ],
)
def test_the_user_s_mirror_of_maven_central_is_taken(tmp_path: Path, first: str, second: str, chosen: str | None) -> None:
    settings = tmp_path / maven.SETTINGS
    settings.parent.mkdir()
    settings.write_text(SETTINGS.format(first=first, second=second))
    environment = {"HOME": str(tmp_path), "MIRROR_HOST": "mirror.example"}
    assert maven.repository(environment) == chosen
    assert maven.repository(environment | {maven.REPOSITORY: "https://named.example/m2/"}) == "https://named.example/m2"
    settings.write_text("<settings>")
    with pytest.raises(RuntimeError, match=r"is no XML .*FINMESH_MAVEN_REPOSITORY"):
        maven.repository(environment)


def test_without_a_choice_the_client_s_own_is_asked(tmp_path: Path) -> None:
    assert maven.repository({"HOME": str(tmp_path)}) is None
    assert maven.repository({}) is None


@pytest.mark.parametrize(
    "line", ["kafka a:b:1 10", "kafka a:b 10 sha256:" + "0" * 64, "kafka a:b:1 10 sha256:00", "kafka a:b:1:c:d 1 sha256:" + "0" * 64]
)
def test_a_line_that_is_no_jar_is_refused(line: str) -> None:
    with pytest.raises(ValueError):
        parse(line)


def test_the_lock_of_this_repository_has_what_is_asked_of_it() -> None:
    parts = parse(jars.LOCK.read_text())
    for part in ("kafka", "zipkin", "python-linux-x86_64", "python-linux-aarch64"):
        assert parts[part]
    names = [jar.file for jar in parts["kafka"]]
    assert len(names) == len(set(names)) > 40
    assert {jar.version for jar in parts["kafka"] if jar.group == "org.apache.kafka"} == {jars.version("kafka", "kafka_2.13")}
