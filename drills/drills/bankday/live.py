"""How a run looks while it goes on: one table that renews itself on a terminal, one line every few seconds elsewhere."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.table import Table
from simbank.driver.corebank import Calls
from simbank.driver.producer import Sent
from simbank.driver.watcher import Seen

LINE_EVERY_S = 5.0
_RENEW_EVERY_S = 0.25
_RECENT = 2_000  # latencies that "now" means
_STYLE = {"approve": "green", "challenge": "yellow", "review": "magenta", "decline": "red"}


@dataclass
class Meter:
    """The counters of a run while they grow."""

    seconds: float
    began_s: float = field(default_factory=time.monotonic)
    phase: str = "starting"
    sent: Sent = field(default_factory=Sent)
    calls: Calls = field(default_factory=Calls)
    seen: Seen = field(default_factory=Seen)
    both_ways: frozenset[bytes] = frozenset()  # traces of transactions that are called for and on the stream
    audited: int = 0
    restarts: Callable[[], int] = lambda: 0

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.began_s

    @property
    def lag(self) -> int:
        """Taken and not seen decided yet."""
        return max(self.sent.acknowledged + len(self.calls.replies.keys() - self.both_ways) - self.seen.decided, 0)


def quantiles_ms(latencies_s: Sequence[float]) -> tuple[float, float]:
    """(p50, p99) in milliseconds, NaN for none."""
    if not latencies_s:
        return float("nan"), float("nan")
    p50, p99 = np.quantile(latencies_s, (0.5, 0.99)) * 1e3
    return float(p50), float(p99)


def milliseconds(p50: float, p99: float) -> str:
    """Two quantiles as a person reads them."""
    return "-" if math.isnan(p50) else f"{p50:.0f} / {p99:.0f} ms"


class Screen:
    """Shows a meter until it is left."""

    def __init__(self, console: Console, meter: Meter) -> None:
        self._console = console
        self._meter = meter
        self._before = (0.0, 0)
        self._task: asyncio.Task[None] | None = None
        self._live: Live | None = None

    async def __aenter__(self) -> None:
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        self._task = asyncio.create_task(self._show(), name="screen")

    async def __aexit__(self, *exc: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._live is not None:
            self._live.stop()

    async def _show(self) -> None:
        while True:
            if self._live is not None:
                self._live.update(self.table(), refresh=True)
            elif self._meter.sent.offered:
                self._console.print(self.line(), highlight=False, markup=False, soft_wrap=True)
            await asyncio.sleep(_RENEW_EVERY_S if self._live is not None else LINE_EVERY_S)

    def _rate_per_s(self) -> float:
        """Decisions a second since this was last asked."""
        (then_s, then), now_s, now = self._before, self._meter.elapsed_s, self._meter.seen.decided
        if now_s - then_s >= 1.0 or then_s == 0.0:
            self._before = (now_s, now)
        return (now - then) / max(now_s - then_s, 1e-9)

    def _facts(self) -> list[tuple[str, str]]:
        meter, seen = self._meter, self._meter.seen
        stream, call = quantiles_ms(seen.latencies_s[-_RECENT:]), quantiles_ms(meter.calls.latencies_s[-_RECENT:])
        return [
            ("elapsed", f"{meter.elapsed_s:.0f} of {meter.seconds:.0f} s, {meter.phase}"),
            ("sent", f"{meter.sent.acknowledged} on the stream, {meter.calls.started} calls, {meter.sent.duplicates} duplicates"),
            ("decided", f"{seen.decided} ({self._rate_per_s():.0f}/s), audited {meter.audited}"),
            ("lag", str(meter.lag)),
            ("stream p50/p99", milliseconds(*stream)),
            ("call p50/p99", milliseconds(*call)),
            ("repeated calls", _counts(meter.calls.failures)),
            ("restarts", str(meter.restarts())),
        ]

    def line(self) -> str:
        """Everything on one line."""
        return "  ".join(f"{name} {value}" for name, value in self._facts()) + "  " + _counts(self._meter.seen.outcomes)

    def table(self) -> Table:
        """The same as a table."""
        table = Table.grid(padding=(0, 2))
        for name, value in self._facts():
            table.add_row(f"[dim]{name}[/]", value)
        outcomes = self._meter.seen.outcomes
        table.add_row("[dim]outcomes[/]", "  ".join(f"[{_STYLE.get(name, '')}]{name} {count}[/]" for name, count in outcomes.most_common()))
        return table


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "none"
