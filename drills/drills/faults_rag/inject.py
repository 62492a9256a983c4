"""Does to the mesh what is planned, and returns when what was broken is up again."""

import asyncio
import shutil

from localmesh.places import Places
from localmesh.supervisor import Mesh

from drills.faults_rag.plan import Kind
from drills.faults_rag.table import INGESTS, derived

AWAY_S = 4.0


async def strike(mesh: Mesh, places: Places, kind: Kind) -> None:
    """Kill a row; what is deleted is deleted while nobody has it open."""
    pid = await mesh.wait(kind.row)
    mesh.kill(kind.row)
    if not kind.how:
        await mesh.wait(kind.row, pid)
        return
    await mesh.stop(kind.row)
    if kind in (Kind.RPC_EMPTIED, Kind.MILVUS_EMPTIED):
        await asyncio.to_thread(shutil.rmtree, derived(places, kind.row))
    else:
        await asyncio.sleep(AWAY_S)  # how long it is away is the injection
    await mesh.start(kind.row)


async def without_indexes(mesh: Mesh, places: Places) -> None:
    """Stop whoever has an index, delete all of them, start again: everything is made anew from the ledger."""
    for row in ("rag-rpc", *INGESTS, "milvus"):
        await mesh.stop(row)
    for row in ("rag-rpc", "milvus"):
        await asyncio.to_thread(shutil.rmtree, derived(places, row))
    await mesh.start("milvus")
    await asyncio.gather(*(mesh.start(row) for row in ("rag-rpc", *INGESTS)))
