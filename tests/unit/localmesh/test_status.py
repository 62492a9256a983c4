import os
from pathlib import Path

import pytest
from localmesh import status
from localmesh.rows import Row
from localmesh.supervisor import Mesh, State


def test_a_folder_has_one_launcher(tmp_path: Path) -> None:
    assert status.launcher(tmp_path) is None
    with status.held(tmp_path):
        assert status.launcher(tmp_path) == os.getpid()
        with pytest.raises(status.AlreadyRunningError, match=str(tmp_path)), status.held(tmp_path):
            pass
        assert status.launcher(tmp_path) == os.getpid()
    assert status.launcher(tmp_path) is None


@pytest.mark.parametrize(
    "states, expected",
    [
        ((State.READY, State.DONE), "ready"),
        ((State.READY, State.WAITING), "starting"),
        ((State.READY, State.BACKOFF), "starting"),
        ((State.READY, State.FAILED), "failed"),
        ((State.STOPPED, State.STOPPED), "stopped"),
    ],
)
def test_the_state_of_a_mesh_follows_from_its_processes(tmp_path: Path, states: tuple[State, State], expected: str) -> None:
    mesh = Mesh([Row("a", ("true",), ports={"grpc": 7}), Row("b", ("true",))], tmp_path)
    for slot, state in zip(mesh.slots.values(), states, strict=True):
        slot.state = state
    status.write(tmp_path / "mesh.json", mesh)
    content = status.read(tmp_path / "mesh.json")
    assert content["state"] == expected
    assert content["processes"]["a"]["ports"] == {"grpc": 7}


def test_without_a_file_the_status_is_empty(tmp_path: Path) -> None:
    assert status.read(tmp_path / "mesh.json") == {}
