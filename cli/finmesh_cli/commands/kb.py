"""`finmesh kb`: what a bank knows, as its curators and readers use it from a terminal."""

from __future__ import annotations

import typer

from finmesh_cli.commands import knowledge_eval
from finmesh_cli.failures import Readable

app = typer.Typer(no_args_is_help=True, cls=Readable, help="Documents: evaluate retrieval.")
app.command("eval")(knowledge_eval.eval_dataset)
