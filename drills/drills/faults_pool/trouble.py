"""Does to an engine what is planned, and undoes it."""

import os
import signal
import time
from contextlib import suppress

from localmesh.engines import folder_of
from localmesh.places import Places
from localmesh.supervisor import Mesh

from drills.faults_llm import shims
from drills.faults_llm.inject import descendants
from drills.faults_pool.plan import SLOW_S, Injection, Kind


async def begin(mesh: Mesh, places: Places, injection: Injection) -> float:
    """Do it, and return when (monotonic seconds)."""
    pid = await mesh.wait(injection.row)
    began_s = time.monotonic()
    match injection.kind:
        case Kind.CRASH:
            mesh.kill(injection.row)
        case Kind.HANG:
            for each in [*descendants(pid), pid]:
                with suppress(ProcessLookupError):
                    os.kill(each, signal.SIGSTOP)
        case Kind.SLOW:
            shims.trouble(folder_of(places, injection.row), slow_s=SLOW_S)
        case Kind.WRONG:
            shims.trouble(folder_of(places, injection.row), wrong=True)
    return began_s


def end(places: Places, injection: Injection) -> None:
    """Make it well again. What died or hung is started anew by those whose matter it is."""
    shims.trouble(folder_of(places, injection.row))
