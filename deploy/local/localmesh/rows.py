"""What one line of the process table says. Knows nothing of any particular server."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from pathlib import Path

from localmesh.health import Health


@dataclass(frozen=True, slots=True)
class Restart:
    """When a process dies: wait first_s, then factor times longer each time, at most limit_s; steady_s of health resets it.

    A process that was never ready is given up after `attempts` deaths, because that is a mistake and not an accident.
    """

    first_s: float = 0.2
    factor: float = 2.0
    limit_s: float = 10.0
    steady_s: float = 30.0
    attempts: int = 4

    def delay_s(self, deaths: int) -> float:
        """Pause before the next start after `deaths` (1, 2, …) deaths in a row."""
        return float(min(self.limit_s, self.first_s * self.factor ** min(deaths - 1, 30)))


@dataclass(frozen=True, slots=True)
class Row:
    """One process: what it is called, how it is started, when it counts as ready and what must be ready before it.

    `prepare` runs before each start, the first and every later one. `reads`: which FINMESH_ and OTEL_ variables (a star ends a
    prefix) it gets of our own environment; the others may hold passwords of other processes.
    """

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    reads: frozenset[str] = frozenset()
    ports: Mapping[str, int] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    health: Health | None = None
    one_shot: bool = False
    prepare: Callable[[], None] | None = None
    cwd: Path | None = None
    restart: Restart = Restart()
    start_timeout_s: float = 60.0
    stop_timeout_s: float = 20.0

    def environment(self, ours: Mapping[str, str]) -> dict[str, str]:
        """What the process finds: `env` laid over what it may have of ours. FINMESH_VAR and FINMESH_LOG_LEVEL are everybody's."""
        names = self.reads | {"FINMESH_VAR", "FINMESH_LOG_LEVEL"}
        prefixes = tuple(name[:-1] for name in names if name.endswith("*"))
        kept = {
            name: value
            for name, value in ours.items()
            if name in names or name.startswith(prefixes) or not name.startswith(("FINMESH_", "OTEL_"))
        }
        return kept | dict(self.env)


def ordered(rows: list[Row]) -> list[Row]:
    """Rows with those they need first. Raises graphlib.CycleError, and KeyError when a row needs one that is not there."""
    by_name = {row.name: row for row in rows}
    graph = {row.name: row.needs for row in rows}
    return [by_name[name] for name in TopologicalSorter(graph).static_order()]


def only(rows: list[Row], names: list[str]) -> list[Row]:
    """The named rows alone, no longer needing the others. KeyError when a name is unknown."""
    by_name = {row.name: row for row in rows}
    chosen = [by_name[name] for name in names]
    return [_without(row, set(names)) for row in chosen]


def _without(row: Row, kept: set[str]) -> Row:
    return replace(row, needs=tuple(n for n in row.needs if n in kept))
