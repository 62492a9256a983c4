"""A broken table of services, or a number that is none, is one line and status 2 from every tool, before anything is started."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from localmesh.places import ROOT
from provisioning import preflight

SHIPPED = (ROOT / "deploy/services.yaml").read_bytes()
TOPICS = ("provisioning", "topics")
BROKEN = {
    "unknown field": SHIPPED.replace(b"package: gateway", "package: gateway\n    名称: 网关".encode()),
    "nobody called": SHIPPED.replace(b"called: true", b"called: false"),
    "no yaml": b"services: [",
    "no utf-8": "服务".encode("gbk"),
    "empty": b"",
    "missing": None,
}


def said(folder: Path, content: bytes | None, *command: str) -> tuple[int, str]:
    """Exit status and stderr of a tool beside whose copy of provisioning that table lies."""
    shutil.copytree(ROOT / "deploy/provisioning/provisioning", folder / "provisioning/provisioning")
    if content is not None:
        (folder / "services.yaml").write_bytes(content)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FINMESH_")}
    environment |= {"PYTHONPATH": str(folder / "provisioning"), "FINMESH_VAR": str(folder / "var"), "NO_COLOR": "1"}
    done = subprocess.run([sys.executable, "-m", *command], env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert not (folder / "var").exists()
    return done.returncode, done.stderr


def is_one_line(status: int, text: str, *words: str) -> None:
    assert status == 2, text
    assert len(text.splitlines()) == 1, text
    assert all(word in text for word in words), text


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_whatever_is_wrong_with_the_table_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    is_one_line(*said(tmp_path, content, *TOPICS), "services.yaml")


def test_topics_of_an_image_need_no_table_of_services(tmp_path: Path) -> None:
    status, text = said(tmp_path, None, *TOPICS, "--file", str(tmp_path / "主题.yaml"))
    assert (status, "services.yaml" in text) == (2, False), text


@pytest.mark.parametrize(
    "command",
    [
        ("localmesh", "up"),
        ("localmesh", "certs"),
        ("drills.bankday",),
        ("drills.faults",),
        ("bench", "stream"),
        ("finmesh_cli", "keys", "init"),
    ],
    ids=" ".join,
)
def test_so_it_is_from_every_tool(tmp_path: Path, command: tuple[str, ...]) -> None:
    is_one_line(*said(tmp_path, BROKEN["unknown field"], *command), "services.yaml", "名称")


@pytest.mark.parametrize("command", [("drills.bankday",), ("drills.faults",), ("bench", "sync")], ids=" ".join)
@pytest.mark.parametrize("option", ["--rate", "--seconds"])
def test_a_number_that_is_none_is_one_line(tmp_path: Path, command: tuple[str, ...], option: str) -> None:
    is_one_line(*said(tmp_path, SHIPPED, *command, option, "nan"), option, "nan")


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 1e300, 1e6, 0.0, -1.0])
@pytest.mark.parametrize("name", ["rate", "seconds"])
def test_numbers_are_bounded(capsys: pytest.CaptureFixture[str], name: str, value: float) -> None:
    with pytest.raises(SystemExit) as raised:
        preflight.check(**{name: value})
    is_one_line(int(raised.value.code or 0), capsys.readouterr().err, f"--{name}")


def test_a_sound_table_and_sound_numbers_pass(capsys: pytest.CaptureFixture[str]) -> None:
    preflight.check(rate=300.0, seconds=60.0)
    assert capsys.readouterr().err == ""
