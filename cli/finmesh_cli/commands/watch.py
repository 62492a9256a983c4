"""`finmesh watch`: decisions as the bank's readers see them, committed ones only, the newest on top."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from contextlib import aclosing
from typing import Annotated

import typer
from finmesh.risk.v1 import decision_pb2 as pb
from google.protobuf.message import DecodeError
from localmesh.ports import LOOPBACK, Ports
from meshkit.config import KafkaSettings
from meshkit.errors import NotFound, Unavailable
from meshkit.events.tail import tail
from meshkit.service import load_kafka
from rich import box
from rich.live import Live
from rich.table import Table

from finmesh_cli import settings, show, words
from finmesh_cli.failures import UnreachableError, UsageError
from finmesh_cli.settings import Language

TOPIC = pb.TransactionDecided.DESCRIPTOR.full_name
_ROWS = 20


class Board:
    """The newest decisions and how often each outcome came. A decision that is read twice counts once while it is remembered."""

    def __init__(self, language: Language, rows: int = _ROWS) -> None:
        self._language = language
        self._newest: deque[pb.TransactionDecided] = deque(maxlen=rows)
        self._ids: deque[str] = deque(maxlen=100_000)
        self._known: set[str] = set()
        self.outcomes: Counter[int] = Counter()
        self.unreadable = 0

    @property
    def decided(self) -> int:
        """Distinct decisions."""
        return self.outcomes.total()

    def take(self, value: bytes) -> None:
        """Add a record of the topic."""
        try:
            decision = pb.TransactionDecided.FromString(value)
        except DecodeError:
            self.unreadable += 1
            return
        if decision.decision_id in self._known:
            return
        if len(self._ids) == self._ids.maxlen:
            self._known.discard(self._ids[0])
        self._ids.append(decision.decision_id)
        self._known.add(decision.decision_id)
        self.outcomes[decision.outcome] += 1
        self._newest.appendleft(decision)

    def table(self) -> Table:
        """Return what to show."""
        counts = "  ".join(f"{words.outcome(outcome, self._language)} {count}" for outcome, count in sorted(self.outcomes.items()))
        title = f"{self.decided}  {counts}" + (f"  unreadable {self.unreadable}" if self.unreadable else "")
        table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), expand=True)
        for column, cells in (("decided", 8), ("outcome", 9), ("score", 5), ("amount", 0), ("decision", 36)):
            table.add_column(words.say(column, self._language), no_wrap=True, min_width=cells, justify="left" if cells else "right")
        table.add_column(words.say("reasons", self._language), overflow="ellipsis", no_wrap=True, ratio=1)
        for decision in self._newest:
            table.add_row(
                show.moment(decision.decided_time)[11:19],
                words.outcome(decision.outcome, self._language),
                f"{decision.score:.3f}" if decision.HasField("score") else "-",
                show.money(decision.amount),
                decision.decision_id,
                ", ".join(words.reason(reason.code, self._language) for reason in decision.reasons[:2]),
                style=show.OUTCOME_STYLES.get(decision.outcome, ""),
            )
        return table


def watch(
    context: typer.Context,
    bootstrap: Annotated[str, typer.Option(envvar="FINMESH_KAFKA__BOOTSTRAP_SERVERS", help="host:port of a broker; the launcher's")] = "",
    prefix: Annotated[str, typer.Option(envvar="FINMESH_KAFKA__TOPIC_PREFIX", help="of the environment's topics")] = "",
    count: Annotated[int, typer.Option(min=0, help="stop after so many decisions; 0 never")] = 0,
    from_start: Annotated[bool, typer.Option("--from-start", help="what the topic still holds, before what comes")] = False,
) -> None:
    """Show decisions while they come. Ends with Ctrl-C."""
    board = Board(settings.of(context).language)
    try:
        broker = bootstrap or f"{LOOPBACK}:{Ports.from_environment().kafka}"
    except ValueError as error:
        raise UsageError(f"FINMESH_PORT_*: {error}") from None
    settings.endpoints("--bootstrap", broker)
    kafka = load_kafka(broker)
    try:
        asyncio.run(_follow(board, kafka, prefix + TOPIC, count, from_start))
    except NotFound as error:
        raise UnreachableError(f"{error.message} on {broker}") from None
    except Unavailable as error:
        raise UnreachableError(f"no decisions from {broker}: {error.message}") from None


async def _follow(board: Board, kafka: KafkaSettings, topic: str, count: int, from_start: bool) -> None:
    with Live(board.table(), refresh_per_second=5, get_renderable=board.table):
        async with aclosing(tail(kafka, topic, from_start)) as records:
            async for record in records:
                board.take(record.value or b"")
                if count and board.decided >= count:
                    return
