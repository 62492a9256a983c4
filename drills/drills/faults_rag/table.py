"""The mesh of a campaign: log, vectors, encoder, two processes that ingest, one that answers. Rag is called as the gateway calls it."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

from localmesh.places import Places
from localmesh.ports import Ports
from localmesh.processes import table
from localmesh.rows import Row, only

COPIED = {"rag-ingest": 2}
ROWS = ("kafka", "provision", "milvus", "triton-encoder", "rag-ingest", "rag-ingest-2", "rag-rpc")
INGESTS = ("rag-ingest", "rag-ingest-2")
_LEASE_S = "4"


def places_of(folder: Path, encoder: Path | None) -> Places:
    """Where a campaign runs: a folder of its own each time. ``encoder``: folder of a model other than the usual one."""
    run = folder / f"{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S}"
    run.mkdir(parents=True)
    usual = replace(Places.default(), var=run)
    return replace(usual, encoder_model=encoder) if encoder else usual


def table_of(places: Places, ports: Ports) -> list[Row]:
    """Rows of the campaign; any order of start and restart must work."""
    own = {"OTEL_TRACES_EXPORTER": "none"}
    leading = {"FINMESH_INGEST__LEASE_S": _LEASE_S}
    rows = only(table(places, ports, copies=COPIED), list(ROWS))
    return [replace(row, env={**row.env, **own, **(leading if row.name in INGESTS else {})}) for row in rows]


def derived(places: Places, row: str) -> Path:
    """The folder that holds what a row derived from the ledger, and may lose at any time."""
    return {"rag-rpc": places.var / "rag" / "rag-rpc" / "index", "milvus": places.var / "milvus"}[row]
