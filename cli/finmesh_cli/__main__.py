"""Entry point: the tree of subcommands, and the options that all of them share."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from finmesh_cli import terminal
from finmesh_cli.commands import (
    audit,
    chat,
    decision,
    fsck,
    kb,
    keys,
    list_entry,
    models,
    otc,
    pool,
    proof,
    rules,
    send,
    status,
    verify,
    watch,
)
from finmesh_cli.failures import BUG, Readable, report
from finmesh_cli.settings import USUAL_PURPOSE, Language, Settings, default_certs, default_language

app = typer.Typer(name="finmesh", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, cls=Readable)
app.command("status")(status.status)
app.command("send")(send.send)
app.command("watch")(watch.watch)
app.command("decision")(decision.decision)
app.command("chat")(chat.chat)
app.command("models")(models.models)
app.command("otc")(otc.otc)
app.command("pool")(pool.pool)
app.add_typer(list_entry.app, name="list")
app.add_typer(rules.app, name="rules")
audit.app.command("fsck")(fsck.fsck)
audit.app.command("export")(fsck.export)
app.command("fsck", help="Short for `audit fsck`.")(fsck.fsck)
app.add_typer(audit.app, name="audit")
app.add_typer(verify.app, name="verify")
app.add_typer(proof.app, name="proof")
app.add_typer(keys.app, name="keys")
app.add_typer(kb.app, name="kb")


@app.callback()
def shared(
    context: typer.Context,
    certs: Annotated[
        Path, typer.Option(envvar="FINMESH_CERTS", help="folder with authority.pem, client.pem, client.key", default_factory=default_certs)
    ],
    language: Annotated[Language, typer.Option(envvar="FINMESH_LANGUAGE", help="of the answers", default_factory=default_language)],
    gateway: Annotated[str, typer.Option(envvar="FINMESH_GATEWAY", help="host:port")] = "127.0.0.1:8443",
    token: Annotated[Path | None, typer.Option(envvar="FINMESH_TOKEN", help="file of the bearer token; one of --certs")] = None,
    tenant: Annotated[str, typer.Option(envvar="FINMESH_TENANT", help="the token's tenant unless given")] = "",
    purpose: Annotated[str, typer.Option(envvar="FINMESH_PURPOSE", help="why the data is used")] = USUAL_PURPOSE,
    timeout_s: Annotated[float, typer.Option(envvar="FINMESH_TIMEOUT_S", min=0.01, max=600, help="of one call")] = 5.0,
) -> None:
    """Send transactions, watch and explain decisions, test rules, talk to models, check the audit log.

    Exit status: 0 all is well, 1 something was tampered with, 2 wrong use or bad input, 3 something cannot be reached.
    """
    context.obj = Settings(
        gateway=gateway,
        certs=certs,
        token=token or certs / "token.jwt",
        named_tenant=tenant,
        purpose=purpose,
        timeout_s=timeout_s,
        language=language,
        any_desk=token is None,
    )


def main() -> None:
    """Run the command line. What is neither an answer nor a known error is a bug, and never exit status 1."""
    sys.stdout = terminal.output(sys.stdout)
    try:
        try:
            app()
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except OSError as error:
        sys.exit(report(error))
    except Exception:
        traceback.print_exc()
        sys.exit(BUG)


if __name__ == "__main__":
    main()
