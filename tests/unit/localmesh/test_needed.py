"""`make` names all that is missing before it downloads anything."""

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from localmesh.fetch import interpreter, java, needed, redis
from localmesh.places import ROOT

PRETENDING = """#!{python}
import runpy, sys
if "-m" in sys.argv and sys.argv[sys.argv.index("-m") + 1] == "localmesh.fetch.needed":
    import platform
    platform.machine = lambda: "riscv64"
    from localmesh.fetch import interpreter, java, needed, redis
    interpreter._candidates = lambda _: ()
    interpreter.probe = lambda _: None
    sys.exit(needed.main())
if "-c" in sys.argv:
    sys.exit(0)
open({touched!r}, "w").close()
sys.exit(1)
"""


def made(folder: Path) -> Path:
    """A checkout's Makefile with nothing set up."""
    (folder / "requirements").mkdir()
    (folder / "requirements" / "bootstrap.txt").touch()
    (folder / "deploy").symlink_to(ROOT / "deploy")
    return folder


def test_make_names_all_that_is_missing_and_does_nothing_else(tmp_path: Path) -> None:
    """On a kind of machine for which there is no package, without Java, Redis and a Python for Triton."""
    path = tmp_path / "bin"
    path.mkdir()
    for name in ("make", "sh"):
        (path / name).symlink_to(str(shutil.which(name)))
    program, touched = tmp_path / "python3", tmp_path / "went on"
    program.write_text(PRETENDING.format(python=sys.executable, touched=str(touched)))
    program.chmod(0o755)
    done = subprocess.run(
        ["make", "-f", ROOT / "Makefile", f"PYTHON={program}", "setup"],
        cwd=made(tmp_path), env={"PATH": str(path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    first, *lines = done.stderr.splitlines()
    assert first == "missing, and nothing was downloaded:"
    for expected in ("riscv64", "Triton's Python stub needs", "install Java 17", "install Redis"):
        assert sum(expected in line for line in lines) == 1, expected
    assert not touched.exists()
    assert not (tmp_path / ".venv").exists()


def test_a_machine_with_python_alone_lacks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No Java, no Redis, no Python with its library: packages bring them."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(interpreter, "_candidates", lambda _: ())
    monkeypatch.setattr(interpreter, "probe", lambda _: None)
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.36"))
    for machine in ("x86_64", "aarch64"):
        monkeypatch.setattr(platform, "machine", lambda name=machine: name)
        assert (java.on_path(), redis.on_path()) == (None, None)
        assert list(needed.missing()) == []


@pytest.mark.parametrize("libc, said", [(("glibc", "2.31"), "with glibc 2.31"), (("", ""), "another C library")])
def test_an_old_or_another_c_library_is_named(monkeypatch: pytest.MonkeyPatch, libc: tuple[str, str], said: str) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: libc)
    assert [line for line in needed.missing() if said in line]


def test_a_disk_that_is_too_small_is_named_with_both_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needed, "_set_up", lambda: False)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**10, 10**10 - 5 * 10**8, 5 * 10**8))
    (line,) = needed.missing()
    assert "4 GB" in line
    assert "has 0.5" in line


def test_a_python_without_venv_is_told_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needed.importlib.util, "find_spec", lambda _: None)
    (line,) = needed.missing()
    assert "apt install python3-venv" in line
