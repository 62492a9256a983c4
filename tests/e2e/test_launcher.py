"""`python -m localmesh` as a person uses it, with the quickest of the servers."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from localmesh.ports import Ports
from provisioning.broker import provision
from provisioning.topics import DEAD_LETTER, load

from tests.stack import Stack

pytestmark = pytest.mark.stack

Localmesh = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def var(tmp_path: Path) -> Path:
    """Run state, where a person may keep it."""
    folder = tmp_path / "我的 文件"
    folder.mkdir()
    return folder


@pytest.fixture
def localmesh(var: Path) -> Iterator[Localmesh]:
    """Runs a subcommand on free ports and with run state of its own."""
    chosen = {f"FINMESH_PORT_{name.upper()}": str(port) for name, port in Ports.free().by_name().items()}
    env = {**os.environ, **chosen, "FINMESH_VAR": str(var), "COLUMNS": "300", "NO_COLOR": "1"}

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "localmesh", *arguments]
        return subprocess.run(command, env=env | more, capture_output=True, text=True, timeout=120, check=False)

    yield run
    run("down")


def lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_up_status_down(localmesh: Localmesh, var: Path) -> None:
    assert localmesh("status").returncode == 1
    up = localmesh("up", "--only", "redis")
    assert (up.returncode, up.stderr) == (0, "")
    assert "ready    redis" in up.stdout
    content = json.loads((var / "mesh.json").read_text())
    pids = [content["launcher"], content["processes"]["redis"]["pid"]]
    assert all(map(lives, pids))
    assert str(pids[1]) in localmesh("status").stdout
    again = localmesh("up", "--only", "redis")
    assert again.returncode == 1
    assert "a mesh already runs" in again.stdout
    assert localmesh("down").returncode == 0
    assert not any(map(lives, pids))
    assert "no mesh runs" in localmesh("down").stdout


def test_up_says_what_is_wrong_and_leaves_nothing(localmesh: Localmesh, var: Path) -> None:
    (var / "redis").write_text("a file where a folder has to be")
    up = localmesh("up", "--only", "redis")
    assert up.returncode == 1
    assert "not started: redis:" in up.stdout
    assert localmesh("status").returncode == 1
    assert "no process is called 'rediss'" in localmesh("up", "--only", "rediss").stdout


def test_certs_makes_an_identity_for_each_service(localmesh: Localmesh, var: Path) -> None:
    assert localmesh("certs").returncode == 0
    made = {path.name for path in (var / "certs").iterdir()}
    assert {"authority.pem", "gateway.pem", "risk-scoring.key", "audit.pem", "client.pem", "jwks.json", "token.jwt"} <= made


def test_provision_makes_the_topics_of_the_repository(localmesh: Localmesh, stack: Stack, topic_prefix: str) -> None:
    topics = load(stack.places.topics)
    expected = len(topics) + sum(topic.dead_letter for topic in topics)
    env = {"FINMESH_KAFKA__BOOTSTRAP_SERVERS": stack.kafka, "FINMESH_KAFKA__TOPIC_PREFIX": topic_prefix}
    for _ in range(2):
        made = subprocess.run(
            [sys.executable, "-m", "provisioning", "topics"], env=os.environ | env, capture_output=True, text=True, check=False
        )
        assert f"{expected} topics on {stack.kafka}" in made.stdout


async def test_the_names_are_those_of_the_file_with_prefix_and_dead_letters(provisioned: str, stack: Stack) -> None:
    topics = load(stack.places.topics)
    names = await provision(stack.kafka, topics, provisioned)
    plain = {topic.name for topic in topics}
    assert {name.removeprefix(provisioned).removesuffix(DEAD_LETTER) for name in names} == plain
