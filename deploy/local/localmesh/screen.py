"""How a start looks to a person: one line per process as it becomes ready, and a table for `status`."""

from typing import Any

from rich.console import Console
from rich.table import Table

from localmesh.supervisor import UP, Mesh, State

STYLE = {
    State.WAITING: "dim", State.STARTING: "yellow", State.READY: "green", State.DONE: "green",
    State.BACKOFF: "red", State.FAILED: "bold red", State.STOPPED: "dim",
}  # fmt: skip


class Progress:
    """Prints each change of a state once; give its `show` to the mesh."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[str, tuple[State, str]] = {}

    def show(self, mesh: Mesh) -> None:
        """Called after each change."""
        for name, slot in mesh.slots.items():
            known = self._shown.get(name)
            self._shown[name] = (slot.state, slot.reason)
            if known == self._shown[name] or slot.state in {State.WAITING, State.STARTING}:
                continue
            took = f"{slot.took_s:.1f} s" if slot.state in UP else slot.reason
            ports = " ".join(f"{use}={port}" for use, port in slot.row.ports.items())
            self._console.print(f"[{STYLE[slot.state]}]{slot.state.value:8}[/] {name:20} {took:8} [dim]{ports}[/]", highlight=False)


def table(status: dict[str, Any]) -> Table:
    """The status file as a table."""
    shown = Table(title=f"mesh {status['state']} (launcher {status['launcher']})", title_justify="left")
    for column in ("process", "state", "pid", "restarts", "ports", "log"):
        shown.add_column(column)
    for name, p in status["processes"].items():
        ports = " ".join(f"{use}={port}" for use, port in p["ports"].items())
        state = f"[{STYLE[State(p['state'])]}]{p['state']}[/]"
        shown.add_row(name, state, str(p["pid"] or ""), str(p["restarts"]), ports, p["log"])
    return shown
