"""`finmesh kb`: documents in, passages and cited answers out. Through the gateway; `eval` starts a service of its own."""

from __future__ import annotations

import typer

from finmesh_cli.commands import kb_keep, kb_read, kb_rights, kb_tune, knowledge_eval
from finmesh_cli.failures import Readable

app = typer.Typer(no_args_is_help=True, cls=Readable, help="Documents: hand in, search, ask, who may read, who read.")
for command in (*kb_keep.COMMANDS, *kb_read.COMMANDS, *kb_rights.COMMANDS, *kb_tune.COMMANDS):
    app.command(command.__name__.removeprefix("kb_").rstrip("_"))(command)
app.command("eval")(knowledge_eval.eval_dataset)
