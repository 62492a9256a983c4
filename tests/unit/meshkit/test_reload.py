"""The last good value stays, whatever a loader raises; the first load says which file is wrong."""

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from meshkit.clock import FakeClock
from meshkit.errors import FailedPrecondition, InvalidDocument
from meshkit.reload import Reloaded, read_file
from meshkit.threads import Ended


class Loader:
    """Answers with the text, and raises what it is told to, while it is told to."""

    def __init__(self) -> None:
        self.raises: BaseException | None = None
        self.calls = 0

    def __call__(self, content: bytes) -> str:
        self.calls += 1
        if self.raises is not None:
            raise self.raises
        return content.decode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "表.yaml"
    path.write_text("one")
    return path


def reloaded(path: Path, load: Callable[[bytes], str], clock: FakeClock | None = None) -> Reloaded[bytes, str]:
    clock = clock or FakeClock()
    return Reloaded(f"table {path}", partial(read_file, path, 100), load, reason="TABLE_INVALID", monotonic_s=clock.monotonic_s)


class PanicException(BaseException):
    """What libraries in Rust raise."""

    __module__ = "pyo3_runtime"


RAISED = [
    PanicException("index out of bounds"),
    InvalidDocument("a is wrong"),
    ValueError("x"),
    TypeError(),
    KeyError("a"),
    AttributeError(),
    OverflowError(),
    ZeroDivisionError(),
    RecursionError(),
    MemoryError(),
    UnicodeDecodeError("utf-8", b"", 0, 1, ""),
    AssertionError(),
    StopIteration(),
]


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
async def test_whatever_a_loader_raises_the_last_good_value_stays(path: Path, error: BaseException) -> None:
    load, clock = Loader(), FakeClock()
    held = reloaded(path, load, clock)
    load.raises = error
    path.write_text("two")
    with pytest.raises(FailedPrecondition, match=r"表\.yaml"):
        await held.reload()
    assert held.value == "one"
    load.raises = None
    path.write_text("three")
    assert await held.reload()
    assert (held.value, held.error) == ("three", None)
    load.raises = error
    with pytest.raises(FailedPrecondition, match=r"表\.yaml") as caught:
        reloaded(path, load)
    assert caught.value.reason == ("INVALID_DOCUMENT" if isinstance(error, InvalidDocument) else "TABLE_INVALID")


@pytest.mark.parametrize("error", [Ended(), KeyboardInterrupt(), SystemExit(1)], ids=lambda error: type(error).__name__)
def test_what_ends_the_work_is_no_failure_of_it(path: Path, error: BaseException) -> None:
    load = Loader()
    held = reloaded(path, load)
    load.raises = error
    path.write_text("two")
    with pytest.raises(type(error)):
        held.refresh()
    load.raises = None
    assert held.error is None
    assert held.refresh()


def spoil(path: Path, how: str) -> None:
    path.unlink()
    if how == "a folder":
        path.mkdir()
    elif how == "a pipe":
        os.mkfifo(path)
    elif how == "too large":
        path.write_bytes(b"x" * 101)
    elif how == "a link to itself":
        path.symlink_to(path)
    elif how == "endless":
        path.symlink_to("/dev/zero")


@pytest.mark.parametrize("how", ["gone", "a folder", "a pipe", "too large", "a link to itself", "endless"])
def test_a_path_that_is_no_file_of_ours_keeps_the_last_good_value(path: Path, how: str) -> None:
    held = reloaded(path, Loader())
    spoil(path, how)
    assert not held.refresh()
    assert held.value == "one"
    assert held.error is not None
    with pytest.raises(FailedPrecondition, match=r"表\.yaml: \S"):
        reloaded(path, Loader())
    path.rmdir() if how == "a folder" else path.unlink(missing_ok=True)
    path.write_text("one")
    assert not held.refresh()
    assert held.error is None


def open_below(path: Path) -> list[str]:
    """Descriptors of this process on the path, on what it leads to, or on its folder; what others open meanwhile is none of these."""
    found = []
    for each in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the folder that is read here
            found.append(str(each.readlink()))
    return [name for name in found if name.startswith(str(path.parent)) or name == str(path.resolve())]


@pytest.mark.parametrize("how", ["gone", "a folder", "a pipe", "too large", "endless", "whole"])
def test_looking_on_and_on_keeps_nothing_open(path: Path, how: str) -> None:
    held = reloaded(path, Loader())
    if how != "whole":
        spoil(path, how)
    for _ in range(20):
        held.refresh()
    assert open_below(path) == []


def test_the_same_content_is_not_loaded_again(path: Path) -> None:
    load = Loader()
    held = reloaded(path, load)
    path.touch()
    assert not held.refresh()
    assert load.calls == 1


def test_a_change_inside_one_tick_of_the_clock_is_seen(path: Path) -> None:
    held = reloaded(path, Loader())
    before = path.stat()
    path.write_text("two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert held.refresh()
    assert held.value == "two"


def test_refused_content_is_tried_again_after_pauses_that_double(path: Path) -> None:
    load, clock = Loader(), FakeClock()
    held = reloaded(path, load, clock)
    load.raises = MemoryError()
    path.write_text("two")
    tried = []
    for second in range(200):
        before = load.calls
        held.refresh()
        if load.calls > before:
            tried.append(second)
        clock.advance(1)
    assert tried == [0, 1, 3, 7, 15, 31, 63, 123, 183]
    load.raises = None
    clock.advance(60)
    assert held.refresh()
    assert held.value == "two"


def test_other_content_is_tried_at_once_and_an_old_one_is_no_news(path: Path) -> None:
    load = Loader()
    held = reloaded(path, load)
    load.raises = ValueError()
    path.write_text("half")
    assert not held.refresh()
    path.write_text("one")
    assert not held.refresh()
    assert held.error is None
    load.raises = None
    path.write_text("whole")
    assert held.refresh()


def test_what_may_be_secret_is_not_shown(path: Path) -> None:
    load = Loader()
    load.raises = ValueError("invalid literal: hunter2")
    with pytest.raises(FailedPrecondition) as caught:
        reloaded(path, load)
    assert "hunter2" not in caught.value.message


def test_the_alarm_is_one_line_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    load, clock = Loader(), FakeClock()
    held = reloaded(path, load, clock)
    load.raises = InvalidDocument("a\nb " + "x" * 1000)
    path.write_text("two")
    for _ in range(5):
        held.refresh()
        clock.advance(100)
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 1
    assert "a b x" in errors[0]
    assert len(errors[0]) < 700
