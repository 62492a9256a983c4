"""The supervisor with real child processes: small Python programs that write a file when they are up."""

import asyncio
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from localmesh.rows import Restart, Row
from localmesh.supervisor import Mesh, StartError, State

FAST = Restart(first_s=0.01, limit_s=0.05)
LIVE = "import pathlib, signal, sys; pathlib.Path(sys.argv[1]).touch(); signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + LIVE
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {LIVE!r}, sys.argv[1] + '.child']);" + LIVE
COUNTED = "import pathlib, sys; p = pathlib.Path(sys.argv[1]); p.write_text(p.read_text() + 'x' if p.exists() else 'x');"


@dataclass(frozen=True)
class FileHealth:
    """Up when the file is there."""

    file: Path

    async def probe(self) -> bool:
        return self.file.exists()


def row(folder: Path, name: str, program: str = LIVE, **settings: object) -> Row:
    file = folder / f"{name}.up"
    return Row(name, (sys.executable, "-c", program, str(file)), **{"health": FileHealth(file), "restart": FAST, **settings})


def lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


async def gone(pid: int) -> bool:
    """The process ends within ten seconds."""
    for _ in range(1000):
        if not lives(pid):
            return True
        await asyncio.sleep(0.01)
    return False


async def test_processes_start_in_order_of_need_and_all_end(tmp_path: Path) -> None:
    ready: list[str] = []

    def changed(mesh: Mesh) -> None:
        ready.extend(name for name, slot in mesh.slots.items() if slot.state is State.READY and name not in ready)

    async with Mesh(
        [row(tmp_path, "gateway", needs=("risk",)), row(tmp_path, "risk", needs=("kafka",)), row(tmp_path, "kafka")], tmp_path, changed
    ) as mesh:
        pids = [mesh.pid(name) for name in ("kafka", "risk", "gateway")]
        assert all(map(lives, pids))
    assert ready == ["kafka", "risk", "gateway"]
    assert not any(map(lives, pids))
    assert {mesh.state(name) for name in mesh.slots} == {State.STOPPED}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_killed_process_is_started_again(tmp_path: Path, number: signal.Signals) -> None:
    async with Mesh([row(tmp_path, "kafka")], tmp_path) as mesh:
        for restarts in (1, 2, 3):
            old = mesh.kill("kafka", number)
            new = await mesh.wait("kafka", other_than_pid=old)
            assert new != old
            assert lives(new)
            assert mesh.slots["kafka"].restarts == restarts


async def test_one_that_never_comes_up_is_given_up_and_its_words_are_shown(tmp_path: Path) -> None:
    program = COUNTED + "sys.exit('no such setting')"
    broken = row(tmp_path, "risk", program, health=FileHealth(tmp_path / "never"), restart=Restart(first_s=0.01, attempts=3))
    mesh = Mesh([row(tmp_path, "kafka"), broken], tmp_path)
    with pytest.raises(StartError, match=r"(?s)risk: exit status 1.*no such setting"):
        await mesh.__aenter__()
    assert (tmp_path / "risk.up").read_text() == "xxx"
    assert mesh.state("kafka") is State.STOPPED
    with pytest.raises(LookupError):
        mesh.pid("kafka")


async def test_one_that_starts_but_is_never_ready_is_given_up(tmp_path: Path) -> None:
    slow = row(tmp_path, "risk", health=FileHealth(tmp_path / "never"), start_timeout_s=0.5)
    mesh = Mesh([slow], tmp_path)
    with pytest.raises(StartError, match=r"not ready after 0.5 s"):
        await mesh.__aenter__()


async def test_what_needs_a_broken_one_is_not_started(tmp_path: Path) -> None:
    broken = row(tmp_path, "kafka", "raise SystemExit(2)", restart=Restart(first_s=0.01, attempts=1))
    mesh = Mesh([broken, row(tmp_path, "risk", needs=("kafka",))], tmp_path)
    with pytest.raises(StartError):
        await mesh.__aenter__()
    assert not (tmp_path / "risk.up").exists()


async def test_a_program_that_is_not_there_is_reported(tmp_path: Path) -> None:
    missing = Row("risk", ("no-such-program",), restart=Restart(first_s=0.01, attempts=1), health=FileHealth(tmp_path / "never"))
    with pytest.raises(StartError, match=r"(?s)exit status 127.*cannot start no-such-program"):
        await Mesh([missing], tmp_path).__aenter__()


async def test_one_that_cannot_be_prepared_is_given_up(tmp_path: Path) -> None:
    def prepare() -> None:
        raise LookupError("no Python for Triton")

    with pytest.raises(StartError, match=r"triton: .*no Python for Triton"):
        async with asyncio.timeout(30):
            await Mesh([row(tmp_path, "triton", prepare=prepare)], tmp_path).__aenter__()


async def test_a_port_that_is_taken_is_named_and_nothing_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(StartError, match=rf"port {port} \(redis\) is taken"):
            await Mesh([row(tmp_path, "redis", ports={"redis": port})], tmp_path).__aenter__()
    assert not (tmp_path / "redis.up").exists()


async def test_a_one_shot_runs_once_before_those_that_need_it(tmp_path: Path) -> None:
    once = row(tmp_path, "provision", COUNTED, one_shot=True, health=None)
    async with Mesh([once, row(tmp_path, "risk", needs=("provision",))], tmp_path) as mesh:
        assert mesh.state("provision") is State.DONE
        assert (tmp_path / "provision.up").read_text() == "x"


async def test_a_one_shot_that_fails_is_tried_again(tmp_path: Path) -> None:
    program = COUNTED + "sys.exit(len(p.read_text()) < 3)"
    async with Mesh([row(tmp_path, "provision", program, one_shot=True, health=None)], tmp_path) as mesh:
        assert mesh.slots["provision"].restarts == 2


async def test_one_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    async with Mesh([row(tmp_path, "kafka", STUBBORN, stop_timeout_s=0.2)], tmp_path) as mesh:
        pid = mesh.pid("kafka")
    assert not lives(pid)


@pytest.mark.parametrize("accident", [True, False])
async def test_nothing_a_process_started_outlives_it(tmp_path: Path, accident: bool) -> None:
    health = FileHealth(tmp_path / "triton.up.child")
    async with Mesh([row(tmp_path, "triton", PARENT, health=health)], tmp_path) as mesh:
        (child,) = psutil.Process(mesh.pid("triton")).children()
        if accident:
            health.file.unlink()
            await mesh.wait("triton", other_than_pid=mesh.kill("triton"))
            assert await gone(child.pid)
    assert await gone(child.pid)


async def test_one_can_be_kept_down_and_started_again(tmp_path: Path) -> None:
    async with Mesh([row(tmp_path, "kafka"), row(tmp_path, "risk", needs=("kafka",))], tmp_path) as mesh:
        risk = mesh.pid("risk")
        await mesh.stop("kafka")
        with pytest.raises(LookupError):
            mesh.pid("kafka")
        await mesh.start("kafka")
        assert lives(mesh.pid("kafka"))
        assert mesh.pid("risk") == risk


async def test_environment_and_ports_of_rows_can_be_asked_for(tmp_path: Path) -> None:
    program = "import os, pathlib, sys; print(os.environ['FINMESH_LISTEN'], flush=True);" + LIVE
    listening = row(tmp_path, "risk", program, env={"FINMESH_LISTEN": "127.0.0.1:7"}, ports={"grpc": 7})
    async with Mesh([listening], tmp_path) as mesh:
        assert mesh.ports["risk"]["grpc"] == 7
        assert mesh.env["risk"]["FINMESH_LISTEN"] == "127.0.0.1:7"
    assert (tmp_path / "logs" / "risk.log").read_text() == "127.0.0.1:7\n"


LAUNCHER = """
import asyncio, pathlib, sys
sys.path[:0] = sys.argv[2:]
from tests.unit.localmesh.test_supervisor import Mesh, row
folder = pathlib.Path(sys.argv[1])
async def main():
    async with Mesh([row(folder, "kafka")], folder) as mesh:
        print(mesh.pid("kafka"), flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


async def test_nothing_outlives_a_launcher_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", LAUNCHER, str(tmp_path), str(Path.cwd())], stdout=subprocess.PIPE, text=True) as launcher:
        assert launcher.stdout is not None
        pid = int(launcher.stdout.readline())
        assert lives(pid)
        launcher.kill()
    assert await gone(pid)
