"""The life of a launched mesh: in the foreground until Ctrl-C or SIGTERM, or in the background until `down`."""

import asyncio
import datetime as dt
import os
import select
import signal
import subprocess
import sys
import time

from meshkit.crypto.derive import DEVELOPMENT_ID, DEVELOPMENT_ROOT
from provisioning import services
from provisioning.certificates import ensure_certificates
from provisioning.keys import ensure_keys
from provisioning.tokens import ensure_token
from rich.console import Console

from localmesh import status
from localmesh.places import Places
from localmesh.rows import Row
from localmesh.screen import Progress
from localmesh.supervisor import Mesh, StartError

POLL_S = 0.1
STOP_TIMEOUT_S = 60.0


def ensure_identity(places: Places) -> None:
    """Certificates, key set, token and key files, made or renewed."""
    now = dt.datetime.now(dt.UTC)
    ensure_certificates(places.certs, now)
    ensure_token(places.certs, now)
    ensure_keys(places.keys, DEVELOPMENT_ROOT, DEVELOPMENT_ID, services.load().producers.values())


async def foreground(places: Places, rows: list[Row], console: Console) -> int:
    """Runs until Ctrl-C or SIGTERM; exit status 1 when something did not come up. AlreadyRunningError when the folder is taken."""
    progress = Progress(console)

    def changed(mesh: Mesh) -> None:
        progress.show(mesh)
        status.write(places.status, mesh)

    with status.held(places.var):
        serving = asyncio.create_task(_serve(Mesh(rows, places.var, changed), console))
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
        try:
            await serving
        except asyncio.CancelledError:
            return 0
        except StartError as error:
            console.print("not started:", str(error), style="red", highlight=False, markup=False)
        return 1


async def _serve(mesh: Mesh, console: Console) -> None:
    async with mesh:
        console.print("[bold green]ready[/]  stop with Ctrl-C or: make down", highlight=False)
        await asyncio.Event().wait()


def background(places: Places, arguments: list[str], console: Console) -> int:
    """Starts `localmesh up` detached from this terminal, shows what it says until it is ready; its exit status when it gave up."""
    log = places.logs / "mesh.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output, log.open() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "localmesh", "up", "--foreground", *arguments],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
        while True:
            ended = process.poll()
            words = said.read()
            console.print(words, end="", highlight=False, markup=False)
            if ended is not None:
                return ended or 1
            if status.launcher(places.var) == process.pid and status.read(places.status).get("state") == "ready":
                return 0
            time.sleep(POLL_S)


def stop(places: Places, console: Console) -> int:
    """SIGTERM to the launcher and wait until it is gone; exit status 1 when it does not go."""
    pid = status.launcher(places.var)
    if pid is None:
        console.print("no mesh runs")
        return 0
    ended = os.pidfd_open(pid) if sys.platform == "linux" else None
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while status.launcher(places.var) == pid:
        if time.monotonic() > deadline:
            console.print(f"launcher {pid} did not stop in {STOP_TIMEOUT_S:g} s", style="red")
            return 1
        time.sleep(POLL_S)
    if ended is not None:
        select.select([ended], [], [], STOP_TIMEOUT_S)  # it has let go of the folder; its interpreter takes a moment longer
        os.close(ended)
    console.print("stopped")
    return 0
