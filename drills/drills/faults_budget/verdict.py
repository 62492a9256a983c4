"""What is booked in Redis against the sum over the audit records, by tenant, scenario, principal and day. Drift is any difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from meshkit.config import KafkaSettings
from redis.asyncio import Redis

from drills.checks.topics import audit_records

PREFIX = "finmesh:gateway:tokens:"
Account = tuple[str, str, str]  # tenant, account, day


@dataclass
class Audited:
    """What the records say: starts and ends by generation, and the use of each account."""

    started: set[str] = field(default_factory=set)
    ended: dict[str, AuditRecord] = field(default_factory=dict)
    repeated: int = 0
    other_ends: int = 0

    def take(self, record: AuditRecord) -> None:
        """Take note of a record; the first end counts."""
        generation = record.generation
        if generation.HasField("started"):
            self.started.add(generation.generation_id)
        elif generation.generation_id in self.ended:
            self.repeated += 1
            self.other_ends += self.ended[generation.generation_id] != record
        else:
            self.ended[generation.generation_id] = record

    @property
    def interrupted(self) -> int:
        """Generations that somebody else ended."""
        return sum(record.generation.ended.interrupted for record in self.ended.values())

    def accounts(self) -> Mapping[Account, Counter[str]]:
        """What each account has used of each day."""
        found: dict[Account, Counter[str]] = {}
        for record in self.ended.values():
            usage, day = record.generation.ended.usage, record.decided_time.ToDatetime().date().isoformat()
            names = ("tenant", f"scenario:{record.scenario}", f"principal:{record.generation.budget_key.hex()}")
            for name in names:
                account = found.setdefault((record.tenant, name, day), Counter())
                account.update(prompt=usage.prompt_tokens, output=usage.output_tokens, generations=1)
        return found


async def audited(kafka: KafkaSettings) -> Audited:
    """Read the whole topic of audit records, once."""
    found = Audited()
    async for record in audit_records(kafka, "router"):
        if record.WhichOneof("detail") == "generation":
            found.take(record)
    return found


@dataclass
class Booked:
    """What Redis has: the use of each account and day, and what is held."""

    accounts: dict[Account, Counter[str]] = field(default_factory=dict)
    held: int = 0
    is_whole: bool = False


async def booked(url: str) -> Booked:
    """Read it."""
    found = Booked()
    async with Redis.from_url(url) as redis:
        found.is_whole = await redis.hget(f"{PREFIX}reader", "complete") == b"1"
        async for raw in redis.scan_iter(f"{PREFIX}{{*"):
            tenant, _, rest = raw.decode().removeprefix(PREFIX + "{").partition("}:")
            if rest.startswith("done:") or rest.endswith(":calls"):
                continue
            account, _, window = rest.rpartition(":")
            fields = {bytes(name).decode(): value for name, value in (await redis.hgetall(raw)).items()}  # type: ignore[arg-type]
            if window.startswith("d2"):
                numbers = Counter(prompt=int(fields["1"]), output=int(fields["2"]), generations=int(fields["n"]))
                found.accounts[tenant, account, window[1:]] = numbers
            elif "held:1" in fields:
                found.held += abs(int(fields["held:1"])) + abs(int(fields["held:2"]))
    return found


def drift(records: Mapping[Account, Counter[str]], books: Mapping[Account, Counter[str]]) -> int:
    """Sum of all differences, in tokens and generations."""
    return sum(
        abs(records.get(account, Counter())[name] - books.get(account, Counter())[name])
        for account in records.keys() | books.keys()
        for name in ("prompt", "output", "generations")
    )
