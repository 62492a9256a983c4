"""The command as it is typed: its exit status, and one line on stderr. 1 means tampered and nothing else.

What depends on the process (terminal, pipe, signals) runs in one of its own; a table of bad input runs in this one, a second a row cheaper.
"""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from finmesh_cli.__main__ import app
from translog.bundle import inclusion_bundle
from translog.note import Signer
from typer.testing import CliRunner

from .conftest import AuditLog

Done = subprocess.CompletedProcess[str]
Finmesh = Callable[..., Done]
PAYMENT = ("send", "--customer", "客户-1", "--account", "账户-1")
COMMAND = [sys.executable, "-m", "finmesh_cli", "--gateway", "127.0.0.1:1", "--timeout-s", "0.3", "--language", "en"]
BAD_FILES = {
    "empty": b"",
    "binary": bytes(range(256)) * 20,
    "gbk": '{"tenant": "甲银行"}'.encode("gbk"),
    "deep": b"[" * 100_000,
    "number": b'{"amount": {"amountMinor": ' + b"9" * 5_000 + b"}}",
    "list": b"[1]",
    "surrogate": b'{"customerId": "\\ud800"}',
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files") / "我的 文件"
    folder.mkdir()
    for name, content in BAD_FILES.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def environment(certs: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FINMESH_", "LC_", "LANG", "PYTHON"))}
    return kept | {"FINMESH_CERTS": str(certs), "NO_COLOR": "1", "COLUMNS": "200"}


@pytest.fixture
def finmesh(files: Path, environment: dict[str, str]) -> Finmesh:
    def run(*arguments: str, **more: str) -> Done:
        return subprocess.run(
            [*COMMAND, *arguments], cwd=files, env=environment | more, capture_output=True, encoding="utf-8", errors="replace", timeout=60,
            check=False,
        )  # fmt: skip

    return run


def of_one_line(status: int, said: str, expected: int, words: str) -> None:
    assert status == expected, said
    assert "Traceback" not in said
    assert words in said
    assert len(said.splitlines()) == 1, said


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ((*PAYMENT, "--amount", "1,50", "--currency", "EUR"), 2, "the decimal sign is a point"),
        ((*PAYMENT, "--amount", "1e999999"), 2, "no amount"),
        ((*PAYMENT, "--amount", "１，２３４．５６"), 3, "UNAVAILABLE"),
        ((*PAYMENT, "--amount", "5", "--at", "0000-01-01T00:00:00Z"), 2, "no time"),
        ((*PAYMENT, "--amount", "5", "--at", "2026-11-22T09:30:00+99:00"), 2, "no time"),
        *((("send", "--file", name), 2, name) for name in (*BAD_FILES, "missing", ".", "empty/x")),
        (("send", "--file", "/dev/zero"), 2, "more than"),
        (("rules", "test", "/dev/zero"), 2, "more than"),
        (("rules", "test", "list", "--since", "999999d"), 2, "after 1970"),
        (("rules", "test", "list", "--since", "0001-01-01T00:00:00+23:59"), 2, "after 1970"),
        (("verify", "inclusion", "list", "--log-key", "gbk"), 2, "not UTF-8"),
        (("verify", "inclusion", "/dev/zero", "--log-key", "list"), 2, "key"),
        (("fsck", "."), 2, "--log-key"),
        (("proof", "checkpoint", "-o", "missing/x"), 3, "UNAVAILABLE"),
        (("decision", b"\xff\xfe".decode(errors="surrogateescape")), 2, "not text"),
        (("--gateway", "127.0.0.1:99999", "decision", "x"), 2, "host:port"),
        (("--gateway", "127.0.0.1", "decision", "x"), 2, "host:port"),
        (("--token", "binary", "decision", "x"), 2, "token"),
        (("--token", "list", "--tenant", "bank-a", "--purpose", "反欺诈", "decision", "x"), 2, "--purpose"),
        (("watch", "--bootstrap", "127.0.0.1:99999"), 2, "host:port"),
    ],
)  # fmt: skip
def test_bad_input_and_what_cannot_be_reached_are_one_line(
    files: Path, certs: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], status: int, words: str
) -> None:
    monkeypatch.chdir(files)
    done = CliRunner().invoke(app, [*COMMAND[3:], "--certs", str(certs), *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    of_one_line(done.exit_code, done.stderr, status, words)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("watch",), 2, "FINMESH_PORT_"),
        ((*PAYMENT, "--amount", "1,50", "--currency", "EUR"), 2, "the decimal sign is a point"),
        ((*PAYMENT, "--amount", "1e999999"), 2, "no amount"),
        ((*PAYMENT, "--amount", "１，２３４．５６"), 3, "UNAVAILABLE"),
        (("send", "--file", "gbk"), 2, "not UTF-8"),
    ],
)
def test_so_they_are_in_a_process_of_their_own(finmesh: Finmesh, arguments: tuple[str, ...], status: int, words: str) -> None:
    done = finmesh(*arguments, FINMESH_PORT_KAFKA="kafka")
    of_one_line(done.returncode, done.stderr, status, words)


@pytest.mark.parametrize("terminal", [{"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])
def test_a_terminal_that_lacks_the_characters_gets_their_escapes(
    finmesh: Finmesh, audit_log: AuditLog, signer: Signer, terminal: dict[str, str]
) -> None:
    audit_log.write(AuditRecord(audit_record_id="a-1", producer="risk-scoring", tenant="bank-a", build="构建-7"))
    bundle, key = audit_log.path.with_name("proof.json"), audit_log.path.with_name("log.key")
    proof = audit_log.log.reader.inclusion("a-1", 0)
    bundle.write_text(inclusion_bundle(leaf=proof.leaf.body, index=proof.leaf.index, hashes=proof.hashes, note=proof.note))
    key.write_text(str(signer.verifier))
    done = finmesh("--language", "zh", "verify", "inclusion", str(bundle), "--log-key", str(key), **terminal)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u6784\\u5efa-7" in done.stdout
    done = finmesh(*PAYMENT, "--amount", "五", **terminal)
    of_one_line(done.returncode, done.stderr, 2, "no amount")


def first_byte(command: list[str], environment: dict[str, str], folder: Path) -> tuple[int, str]:
    """Exit status and stderr of a command whose reader goes away before it has written."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run(command, cwd=folder, env=environment, stdout=closed, stderr=subprocess.PIPE, timeout=60, check=False)
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize("arguments", [("--help",), ("fsck", "audit.db"), ("fsck", "audit.db", "--quick")])
def test_a_reader_that_goes_away_is_no_tampering(
    audit_log: AuditLog, signer: Signer, environment: dict[str, str], arguments: tuple[str, ...]
) -> None:
    assert first_byte([*COMMAND, *arguments], environment, audit_log.path.parent) == (-signal.SIGPIPE, "")


def test_a_full_disk_is_no_tampering(audit_log: AuditLog, environment: dict[str, str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "fsck", str(audit_log.path)],
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    of_one_line(done.returncode, done.stderr, 3, "No space left")


def test_ctrl_c_is_130_without_a_traceback(files: Path, environment: dict[str, str]) -> None:
    """While it waits for a file that nobody writes: a pipe."""
    os.mkfifo(files / "pipe")
    started = threading.Event()
    with subprocess.Popen(
        [*COMMAND, "send", "--file", "pipe"], cwd=files, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        opened: list[int] = []
        opener = threading.Thread(target=lambda: (opened.append(os.open(files / "pipe", os.O_WRONLY)), started.set()))
        opener.start()  # returns when the command has opened its end
        assert started.wait(60)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        os.close(opened[0])
        opener.join()
    assert process.returncode == 130
    assert "Traceback" not in said


def test_a_bug_is_not_tampering(environment: dict[str, str], tmp_path: Path) -> None:
    program = "import finmesh_cli.__main__ as m; m.send.money.parse = lambda *_: 1 / 0; m.main()"
    command = [sys.executable, "-c", program, *COMMAND[3:], *PAYMENT, "--amount", "5"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 70
    assert "ZeroDivisionError" in done.stderr


def test_a_terminal_is_written_to_line_by_line(environment: dict[str, str], audit_log: AuditLog) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "wb") as screen:
        done = subprocess.run(
            [*COMMAND, "fsck", str(audit_log.path)], env=environment, stdout=screen, stderr=screen, timeout=60, check=False
        )
        assert done.returncode == 0
        assert "nothing is wrong" in os.read(ours, 4096).decode()
    os.close(ours)
