"""A table for a person and one JSON line for a machine."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure should be: at least `least`, at most `most`."""

    min: float | None = None
    max: float | None = None

    def met(self, value: float) -> bool:
        """Whether a value reaches it; NaN does not."""
        return not math.isnan(value) and (self.min is None or value >= self.min) and (self.max is None or value <= self.max)

    def __str__(self) -> str:
        return f"≥ {self.min:,g}" if self.min is not None else f"≤ {self.max:,g}"


@dataclass
class Figures:
    """What one benchmark found. `values` are the JSON keys; `words` explain them; `notes` are more lines of the table, text only."""

    title: str
    values: dict[str, float] = field(default_factory=dict)
    targets: Mapping[str, Target] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


Say = Callable[[str, int, int], None]
"""What is being done, how many are done, of how many."""


@contextmanager
def bars(console: Console) -> Iterator[Say]:
    """Progress bars, one for each thing that is done. Drawn twice a second: more would be measured."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, refresh_per_second=2) as progress:
        known: dict[str, TaskID] = {}

        def say(what: str, done: int, of: int) -> None:
            if what not in known:
                known[what] = progress.add_task(what, total=of)
            progress.update(known[what], completed=done, total=of)

        yield say


def rounded(value: float) -> float | None:
    """Four significant digits: more would be noise. None for what could not be measured: JSON knows no NaN."""
    if math.isnan(value):
        return None
    return float(f"{value:.4g}") if abs(value) < 1e4 else round(value)


def show(figures: Figures, console: Console) -> None:
    """Print the table, then JSON as the last line."""
    show_table(figures, console)
    console.file.write(json.dumps(as_json(figures)) + "\n")


def as_json(figures: Figures) -> dict[str, float | None]:
    """The figures, rounded."""
    return {name: rounded(value) for name, value in figures.values.items()}


def show_table(figures: Figures, console: Console) -> None:
    """Print the table."""
    table = Table(title=figures.title, title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("target", justify="right")
    table.add_column("")
    for name, value in figures.values.items():
        target = figures.targets.get(name)
        mark = "" if target is None else "[green]met[/]" if target.met(value) else "[yellow]not met[/]"
        table.add_row(
            figures.words.get(name, name), "–" if math.isnan(value) else f"{rounded(value):,}", str(target) if target else "", mark
        )
    for name, text in figures.notes.items():
        table.add_row(name, text, "", "", style="dim")
    console.print(table)
