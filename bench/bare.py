"""The thing beside the mesh: a bare transactional consume-produce loop, as a process of its own.

It reads the same input topic with the same client, settings, batch and partitions as the stream, and answers every record with a decision
message of the same bytes (samples of real ones) and every batch with one audit message of the same size. It computes nothing.

`python -m bench.bare SETTINGS.json` prints {"records": n, "seconds": s}.
"""

import asyncio
import base64
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop
from aiokafka import TopicPartition
from meshkit.config import KafkaSettings
from meshkit.events.message import Message
from meshkit.events.transactional import send_all, start_reader, start_transactional

IDLE_S = 3.0


@dataclass(frozen=True)
class Settings:
    """What the loop is told. `decisions` are (key, value, headers) in base64; `audit_bytes` is the size of one record's share."""

    bootstrap: str
    name: str
    input_topic: str
    decision_topic: str
    audit_topic: str
    partitions: int
    batch: int
    seconds: float
    audit_bytes: int
    decisions: list[tuple[str, str, list[tuple[str, str]]]]

    def save(self, file: Path) -> None:
        """Write as JSON."""
        file.write_text(json.dumps(asdict(self)))


def sample(message: Message) -> tuple[str, str, list[tuple[str, str]]]:
    """A message as settings carry it."""
    return _text(message.key or b""), _text(message.value), [(name, _text(value)) for name, value in message.headers]


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)


class _Loop:
    """One reader, one transactional producer for each partition."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._kafka = KafkaSettings(bootstrap_servers=settings.bootstrap)
        self.records = 0
        self.first_s = self.last_s = 0.0

    async def run(self) -> None:
        """Until the time is over or the input ends."""
        partitions = [TopicPartition(self._settings.input_topic, number) for number in range(self._settings.partitions)]
        await asyncio.gather(*(self._partition(tp) for tp in partitions))

    async def _partition(self, tp: TopicPartition) -> None:
        settings = self._settings
        reader = await start_reader(self._kafka, tp, 0)
        producer = await start_transactional(self._kafka, f"{settings.name}-{tp.partition}")
        answers = [
            Message(settings.decision_topic, tp.partition, _bytes(key), _bytes(value), [(name, _bytes(raw)) for name, raw in headers])
            for key, value, headers in settings.decisions
        ]
        audit = Message(settings.audit_topic, 0, b"bare", bytes(settings.audit_bytes * settings.batch), [])
        answers = (answers * (settings.batch // len(answers) + 1))[: settings.batch]
        idle_from_s = time.monotonic()
        try:
            while time.monotonic() - (self.first_s or time.monotonic()) < settings.seconds:
                records = (await reader.getmany(timeout_ms=200, max_records=settings.batch)).get(tp)
                if records:
                    messages: Sequence[Message] = [*answers[: len(records)], audit]
                    self.first_s = self.first_s or time.monotonic()
                    async with producer.transaction():
                        await send_all(producer, messages)
                        await producer.send_offsets_to_transaction({tp: records[-1].offset + 1}, settings.name)
                    self.records += len(records)
                    self.last_s = idle_from_s = time.monotonic()
                elif time.monotonic() - idle_from_s > IDLE_S:
                    return
        finally:
            await reader.stop()
            await producer.stop()


async def measure(settings: Settings, folder: Path) -> float:
    """Run the loop in a process of its own; returns records per second. Raises RuntimeError when it fails."""
    file = folder / f"{settings.name}.json"
    settings.save(file)
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.bare", str(file), stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("the bare loop failed")
    found = json.loads(output)
    return float(found["records"] / found["seconds"])


async def _main(settings: Settings) -> None:
    loop = _Loop(settings)
    await loop.run()
    print(json.dumps({"records": loop.records, "seconds": max(loop.last_s - loop.first_s, 1e-9)}))


if __name__ == "__main__":
    uvloop.run(_main(Settings(**json.loads(Path(sys.argv[1]).read_text()))))
