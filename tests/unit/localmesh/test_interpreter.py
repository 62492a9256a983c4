"""Which Python runs Triton's stub, of made-up ones: small shell programs that answer as an interpreter would."""

import json
import os
import sys
from pathlib import Path

import pytest
from localmesh.fetch import interpreter, python
from localmesh.fetch.interpreter import NoneFoundError, find, probe
from localmesh.fetch.once import MissingToolError


def made(program: Path, version: str, *, shared: bool = True) -> Path:
    """A Python of that version; `shared`: with its libpython beside it."""
    program.parent.mkdir(parents=True, exist_ok=True)
    library = program.parent / f"lib{version}"
    library.mkdir(exist_ok=True)
    if shared:
        (library / f"libpython{version}.so.1.0").touch()
    answer = json.dumps([version, str(program), None, str(library), "/usr/lib/"])
    program.write_text(f"#!/bin/sh\necho '{answer}'\n")
    program.chmod(0o755)
    return program


def shim(program: Path) -> Path:
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text("#!/bin/sh\necho 'pyenv: command not found' >&2\nexit 127\n")
    program.chmod(0o755)
    return program


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that this machine has is found; only what the test puts on PATH or into HOME."""
    known = interpreter._candidates
    monkeypatch.setattr(interpreter, "_candidates", lambda env: (path for path in known(env) if not path.is_relative_to("/usr")))


@pytest.mark.parametrize("version", ["3.11", "3.12"])
def test_the_python_that_asks_is_taken_when_it_can(tmp_path: Path, version: str) -> None:
    own = made(tmp_path / "own" / "python3", version)
    made(tmp_path / "bin" / "python3.12", "3.12")
    found = find({"PATH": str(tmp_path / "bin")}, own)
    assert (found.program, found.version, found.library) == (own, version, own.parent / f"lib{version}")


@pytest.mark.parametrize("own", [("3.13", True), ("3.12", False), ("3.14", True)])
@pytest.mark.parametrize(
    "elsewhere",
    ["我的 文件/python3.11", ".pyenv/versions/3.12.1/bin/python3.12", ".local/share/uv/python/cpython-3.11.9-linux/bin/python3.11"],
)
def test_another_is_found_on_path_or_among_those_of_pyenv_and_uv(tmp_path: Path, own: tuple[str, bool], elsewhere: str) -> None:
    asking = made(tmp_path / "own" / "python3", own[0], shared=own[1])
    path = os.pathsep.join(str(shim(tmp_path / "shims" / f"python3.{minor}").parent) for minor in (11, 12))
    wanted = made(tmp_path / elsewhere, Path(elsewhere).name.removeprefix("python"))
    found = find({"PATH": f"{path}{os.pathsep}{tmp_path / '我的 文件'}", "HOME": str(tmp_path)}, asking)
    assert found.program == wanted


@pytest.mark.parametrize("own, said", [(("3.13", True), "is 3.13"), (("3.12", False), r"is 3.12 without libpython3.12.so.1.0")])
def test_without_one_a_sentence_says_what_to_install(tmp_path: Path, own: tuple[str, bool], said: str) -> None:
    made(tmp_path / "bin" / "python3.12", "3.12", shared=False)
    made(tmp_path / "bin" / "python3.11", "3.10")
    asking = made(tmp_path / "own" / "python3", own[0], shared=own[1])
    with pytest.raises(NoneFoundError, match=rf"this Python {said}, .*apt install python3.11 libpython3.11") as refused:
        find({"PATH": str(tmp_path / "bin")}, asking)
    assert "\n" not in str(refused.value)


def test_the_one_that_is_named_is_taken_or_refused(tmp_path: Path) -> None:
    own, named = made(tmp_path / "own" / "python3", "3.11"), made(tmp_path / "named" / "python3", "3.12")
    assert find({"TRITON_PYTHON": str(named)}, own).program == named
    for wrong, said in ((made(tmp_path / "old" / "python3", "3.10"), "is 3.10"), (tmp_path / "nothing", "is no Python that runs")):
        with pytest.raises(MissingToolError, match=said):
            find({"TRITON_PYTHON": str(wrong)}, own)


def test_the_one_that_is_named_is_not_replaced_by_a_packaged_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_PYTHON", str(made(tmp_path / "old" / "python3", "3.10")))
    with pytest.raises(MissingToolError, match=r"is 3\.10"):
        python.fetch(tmp_path, made(tmp_path / "own" / "python3", "3.13"))


def test_this_python_says_what_it_is() -> None:
    found = probe(Path(sys.executable))
    assert found is not None
    assert found.version == f"{sys.version_info.major}.{sys.version_info.minor}"
