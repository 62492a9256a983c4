"""What the engines of a campaign still hold, asked of themselves, and how many transfers they spoilt."""

import secrets

from backends.triton_link import TritonLink
from finmesh.engine.v1 import engine_pb2
from localmesh.engines import folder_of
from localmesh.places import Places
from localmesh.ports import LOOPBACK, Ports, instance

from drills.faults_llm.plan import COPIES
from drills.faults_llm.shims.kinds import FILE, KINDS, counted

ENGINES = {"triton-prefill": "llm_prefill", "triton-decode": "llm_decode"}


def names() -> list[tuple[str, str]]:
    """(row of the process table, model in it) of every engine."""
    return [(instance(engine, number), model) for engine, model in ENGINES.items() for number in range(1, COPIES + 1)]


async def held(ports: Ports) -> list[str]:
    """One line for each thing that any engine holds. Raises the errors of `meshkit.errors`."""
    lines = []
    for name, model in names():
        async with TritonLink(f"{LOOPBACK}:{ports.engine(name)['grpc']}", model, secrets.token_hex(12), lambda _: None) as link:
            answer = await link.ask("held", engine_pb2.OwnerOperation())
        lines += [f"{name}: {line}" for line in engine_pb2.HeldResult.FromString(answer).held]
    return lines


def spoilt(places: Places) -> dict[str, int]:
    """Transfers that were spoilt since this mesh started, by kind."""
    files = [counted(folder_of(places, name) / FILE) for name, _ in names()]
    return {kind: sum(each[kind] for each in files) for kind in KINDS}
