"""The thing beside the mesh: a bare transactional consume-produce loop, as a process of its own.

It reads the same input topic with the same client, settings, batch and partitions as the stream, and answers every record with a decision
message of the same bytes (samples of real ones) and every batch with one audit message of the same size. It computes nothing.

`python -m bench.bare SETTINGS.json` prints {"records": n, "seconds": s, "looks": [[s, own s, broker's s], ...]}: a look is taken before
the first record and where there is nothing left, at a monotonic time, of the processor time that loop and broker had used.
"""

import asyncio
import base64
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvloop
from aiokafka import TopicPartition
from meshkit.config import KafkaSettings
from meshkit.events.message import Message
from meshkit.events.transactional import send_all, start_reader, start_transactional

from bench.processes import usage

IDLE_S = 3.0


@dataclass(frozen=True)
class Settings:
    """What the loop is told. `decisions` are (key, value, headers) in base64; `audit_bytes` is the size of one record's share."""

    bootstrap: str
    kafka_pid: int
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
        self.looks: list[tuple[float, float, float]] = []

    def _look(self) -> None:
        used = usage({"loop": os.getpid(), "kafka": self._settings.kafka_pid})
        self.looks.append((time.monotonic(), used["loop"].cpu_s, used["kafka"].cpu_s))

    def _looked(self) -> None:
        """Look where something was done since the last look."""
        if self.looks and self.looks[-1][0] < self.last_s:
            self._look()

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
                if records and not self.looks:
                    self._look()
                if records:
                    messages: Sequence[Message] = [*answers[: len(records)], audit]
                    self.first_s = self.first_s or time.monotonic()
                    async with producer.transaction():
                        await send_all(producer, messages)
                        await producer.send_offsets_to_transaction({tp: records[-1].offset + 1}, settings.name)
                    self.records += len(records)
                    self.last_s = idle_from_s = time.monotonic()
                    continue
                self._looked()
                if time.monotonic() - idle_from_s > IDLE_S:
                    return
        finally:
            self._looked()
            await reader.stop()
            await producer.stop()


@dataclass(frozen=True, slots=True)
class Measured:
    """Records a second, and processor time of loop and broker for each record, the broker's idling taken off."""

    records_per_s: float
    cpu_us: float


async def measure(settings: Settings, folder: Path, idle_cores: float) -> Measured:
    """Run the loop in a process of its own; ``idle_cores``: what the broker takes when idle. Raises RuntimeError when it fails."""
    file = folder / f"{settings.name}.json"
    settings.save(file)
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.bare", str(file), stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("the bare loop failed")
    return measured(json.loads(output), idle_cores)


def measured(found: Mapping[str, Any], idle_cores: float) -> Measured:
    """What the loop's output says."""
    (began_s, own_before_s, kafka_before_s), (ended_s, own_s, kafka_s) = found["looks"][0], found["looks"][-1]
    cpu_s = own_s - own_before_s + kafka_s - kafka_before_s - idle_cores * (ended_s - began_s)
    return Measured(found["records"] / found["seconds"], cpu_s / max(found["records"], 1) * 1e6)


async def _main(settings: Settings) -> None:
    loop = _Loop(settings)
    await loop.run()
    print(json.dumps({"records": loop.records, "seconds": max(loop.last_s - loop.first_s, 1e-9), "looks": loop.looks}))


if __name__ == "__main__":
    uvloop.run(_main(Settings(**json.loads(Path(sys.argv[1]).read_text()))))
