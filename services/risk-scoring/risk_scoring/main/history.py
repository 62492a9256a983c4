"""Import of history: ``python -m risk_scoring.main.history TRANSACTIONS [LABELS]``, once, before the first decision.

Both files hold length-prefixed protobuf messages (TransactionAuthorizationRequested, LabelReported) in order of time. Started again it
goes on where it stopped; files that were imported already change nothing. Exit status 2 for files that cannot serve, 3 for a server
that cannot be reached.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from contextlib import aclosing
from io import BytesIO
from pathlib import Path
from typing import Any, cast

from finmesh.risk.v1.transaction_pb2 import LabelReported, TransactionAuthorizationRequested
from google.protobuf import proto
from google.protobuf.message import DecodeError
from meshkit.clock import Clock, SystemClock
from meshkit.crypto.derive import IDS, keys_of
from meshkit.crypto.keyed_ids import KeyedIds
from meshkit.errors import InvalidArgument, MeshError
from meshkit.service import load_config, run
from meshkit.telemetry.redactor import redact
from rich.console import Console
from rich.progress import Progress

from risk_scoring import translate
from risk_scoring.adapters.file_policies import load_rates
from risk_scoring.adapters.kafka_decision_log import KafkaDecisionLog
from risk_scoring.adapters.redis_feature_store import RedisFeatureStore
from risk_scoring.adapters.redis_link import RedisLink
from risk_scoring.config import StoreConfig
from risk_scoring.domain.corrections import INVALID_LABEL, label_change
from risk_scoring.domain.horizon import check_not_ahead, time_us
from risk_scoring.domain.observation import Change, Observation
from risk_scoring.steps.identify import Identifier
from risk_scoring.steps.restore import Restorer
from risk_scoring.usecases.import_history import ImportHistory


async def main(transactions: Path, labels: Path | None) -> None:
    """Compose and import. Raises MeshError, OSError."""
    config = load_config(StoreConfig)
    identifier = Identifier(KeyedIds(keys_of(config.keys.ids, IDS)), load_rates(config.rates).to_reference_minor)
    files = [path for path in (transactions, labels) if path is not None]
    import_id = hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in files)).hexdigest()[:32]
    async with aclosing(RedisLink(config.redis, config.redis_prefix)) as link:
        clock = SystemClock()
        store = RedisFeatureStore(link, clock, config.dedupe_horizon_s)
        await Restorer(link, store, KafkaDecisionLog(config.kafka), translate.restored_record, config.by_place_s).ensure()
        with Progress(console=Console(stderr=True)) as bar:
            task = bar.add_task("history", total=None)
            total = await ImportHistory(store)(import_id, changes(identifier, clock, *files), lambda done: bar.update(task, completed=done))
    print(f"{total} transactions and labels of the past are in the feature store")


def changes(identifier: Identifier, clock: Clock, transactions: Path, labels: Path | None = None) -> Iterator[Change]:
    """Yield what the files hold as changes. Raises InvalidArgument for a message that is wrong."""
    for message in _messages(transactions, TransactionAuthorizationRequested):
        seen = _seen(identifier, clock, message)
        yield Change(kind="advice", observation=seen, frauds=0, genuine=0, amount_minor=seen.amount_minor, change_id="")
    if labels is not None:
        for message in _messages(labels, LabelReported):
            seen = _seen(identifier, clock, message.transaction)
            check_not_ahead(time_us(message.known_at, "known_at", INVALID_LABEL), clock.now_s())
            yield label_change(seen, message.transaction.tenant, message.label_id, message.type, message.retracted)


def _seen(identifier: Identifier, clock: Clock, message: TransactionAuthorizationRequested) -> Observation:
    t = translate.transaction(message)
    check_not_ahead(t.event_time_us, clock.now_s())
    return identifier.observation(t)


def _messages(path: Path, kind: type[Any]) -> Iterator[Any]:
    with path.open("rb") as file:
        try:
            while (message := proto.parse_length_prefixed(kind, cast(BytesIO, file))) is not None:
                yield message
        except (DecodeError, ValueError) as error:
            raise InvalidArgument(f"{path.name} is not a file of length-prefixed messages, or is cut off", reason="MALFORMED") from error


def _said(text: str, status: int) -> int:
    print(redact(text), file=sys.stderr)
    return status


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(_said("usage: python -m risk_scoring.main.history TRANSACTIONS [LABELS]", 2))
    try:
        run(main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) == 3 else None))
    except (InvalidArgument, OSError) as error:
        sys.exit(_said(f"history was not imported: {error}", 2))
    except MeshError as error:
        sys.exit(_said(f"history was not imported: {error}", 3))
