"""Inquiries of the OTC desk through the whole mesh: read right, how fast, and a general model under the same grammar beside it.

Data are lines `{"text": …, "expect": {field: value}}`. Fields in `expect` count, null for what must not be said; numbers compare as
numbers.
A typed refusal of a text is OTHER with nothing else, which is what it must be. Without data, held-out samples of the recipe are asked.
"""

import asyncio
import itertools
import json
import statistics
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finmesh.common.v1 import grade_pb2
from finmesh.inference.v1 import generation_pb2 as generation
from finmesh.otc.v1 import otc_service_pb2 as otc
from finmesh.router.v1 import router_service_pb2 as router
from finmesh_client import GatewayClient
from localmesh.places import Places
from localmesh.ports import Ports
from localmesh.processes import table
from localmesh.rows import Row, only
from meshkit.errors import InvalidArgument, MeshError
from otcdesk import constraint, reading
from otcdesk.fold import fold
from otcdesk.inquiry import Inquiry
from otcdesk.instruments import Instruments

from bench.site import Site, opened_with

TENANT, AT_ONCE, SINGLE, CALL_S = "bank-a", 8, 200, 10.0
_ROWS = {
    "kafka", "redis", "provision", "audit", "gateway", "router", "inference-prefill", "inference-decode", "triton-prefill", "triton-decode",
    "triton-prefill-otc", "triton-decode-otc",
}  # fmt: skip
_MASTER = Instruments.read()
_CLOSED = {"intent": "INTENT_", "product": "PRODUCT_", "side": "SIDE_", "option_type": "OPTION_TYPE_"}
_INSTRUCTION = (
    "Read the client's OTC inquiry and write JSON with the fields that it states and no others: intent (quote, follow_up, order, cancel, "
    "other, multiple), product, side, underlying (copied), option, strike (percent), tenor (12m, 1y, 2w), ki, ko, step, lockup (3m), "
    "coupon, notional (1e7), bond, yield, face."
)


@dataclass(frozen=True, slots=True)
class Case:
    """A text and what must be read of it."""

    text: str
    expect: dict[str, Any]


@dataclass(slots=True)
class Found:
    """What was read of each case, by field; None where the call failed."""

    values: list[dict[str, Any] | None] = field(default_factory=list)
    are_valid: list[bool] = field(default_factory=list)
    took_ms: list[float] = field(default_factory=list)
    needs_confirmation: list[bool] = field(default_factory=list)


def read_cases(path: Path) -> list[Case]:
    """Return the cases of a file. Raises ValueError that names the line."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
            found.append(Case(document["text"], dict(document["expect"])))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}, line {number}: text and expect are wanted ({error})") from None
    return found


def held_out(count: int) -> list[Case]:
    """Return samples of families and names that training never saw; needs models/recipes on the path."""
    from otc.generate import Generator

    samples = itertools.islice(Generator(_MASTER, 7_000_001, is_held_out=True, is_known=True), count)
    return [Case(each.text, by_field(reading.read(each.own_text, fold(each.text), _MASTER).inquiry)) for each in samples]


def by_field(inquiry: Inquiry) -> dict[str, Any]:
    """Return every field of an inquiry as data says it."""
    names = [each.name for each in otc.Inquiry.DESCRIPTOR.fields]
    return {
        name: None if (value := getattr(inquiry, name)) is None else value if isinstance(value, str) else float(value) for name in names
    }


def of_message(message: otc.Inquiry) -> dict[str, Any]:
    """Return every field of an answer as data says it."""
    found: dict[str, Any] = {}
    for each in message.DESCRIPTOR.fields:
        value = getattr(message, each.name)
        if each.name in _CLOSED and each.enum_type is not None:
            found[each.name] = each.enum_type.values_by_number[value].name.removeprefix(_CLOSED[each.name]).lower() if value else None
        else:
            found[each.name] = value if message.HasField(each.name) else None
    return found


def is_same(wanted: Any, got: Any) -> bool:
    """Compare numbers as numbers, all else as text."""
    if wanted is None or got is None:
        return wanted is got
    try:
        return abs(float(wanted) - float(got)) <= 1e-6 * max(1.0, abs(float(wanted)))
    except (TypeError, ValueError):
        return str(wanted) == str(got)


def scores(cases: Sequence[Case], found: Sequence[dict[str, Any] | None]) -> dict[str, Any]:
    """Return exact match, and F1 over all fields that are expected."""
    right, hits, wrong, missed = 0, 0, 0, 0
    for case, values in zip(cases, found, strict=True):
        same = {name: is_same(wanted, (values or {}).get(name)) for name, wanted in case.expect.items()}
        right += values is not None and all(same.values())
        for name, wanted in case.expect.items():
            hits += same[name] and wanted is not None
            missed += not same[name] and wanted is not None
            wrong += not same[name] and (values or {}).get(name) is not None
    return {"exact_match": round(right / max(len(cases), 1), 4), "field_f1": round(2 * hits / max(2 * hits + wrong + missed, 1), 4)}


async def measure(var: Path | None, cases: Sequence[Case], general: int) -> dict[str, Any]:
    """Ask them all through a mesh of its own; one at a time for latency, then eight at once."""
    async with opened_with(var, rows) as site, site.desk() as door:
        await asked(door, cases[:5], 1)  # warm
        single = await asked(door, cases[:SINGLE], 1)
        began = time.perf_counter()
        every = await asked(door, cases, AT_ONCE)
        seconds = time.perf_counter() - began
        beside = await _general(site, cases[:general]) if general else None
    failed = [at for at, values in enumerate(every.values) if values is None]
    report: dict[str, Any] = {
        "count": len(cases),
        "failed": len(failed),
        "per_second_at_8": round(len(cases) / seconds, 1),
        "p50_at_8_ms": round(statistics.median(every.took_ms), 1),
        "needs_confirmation": round(sum(every.needs_confirmation) / len(cases), 4),
    }
    if beside is not None:
        report["general"] = {"count": general, **scores(cases[:general], beside)}
        report["specialist_on_the_same"] = scores(cases[:general], every.values[:general])
    valid = sum(every.are_valid) / len(cases)
    return report | scores(cases, every.values) | {"valid_json": round(valid, 4), "p50_ms": round(statistics.median(single.took_ms), 1)}


def rows(places: Places, ports: Ports) -> list[Row]:
    """What an inquiry goes through."""
    every = table(places, ports)
    return only(every, [row.name for row in every if row.name in _ROWS])


async def asked(door: GatewayClient, cases: Sequence[Case], at_once: int) -> Found:
    """Return what was read, in the order of the cases."""
    results: list[tuple[dict[str, Any] | None, bool, float, bool]] = [(None, False, 0.0, True)] * len(cases)
    waiting = iter(range(len(cases)))

    async def worker() -> None:
        for at in waiting:
            results[at] = await _one(door, cases[at].text)

    await asyncio.gather(*(worker() for _ in range(at_once)))
    found = Found()
    for values, is_valid, took_ms, needs in results:
        found.values.append(values)
        found.are_valid.append(is_valid)
        found.took_ms.append(took_ms)
        found.needs_confirmation.append(needs)
    return found


async def _one(door: GatewayClient, text: str) -> tuple[dict[str, Any] | None, bool, float, bool]:
    began = time.perf_counter()
    request = otc.ParseOtcInquiryRequest(tenant=TENANT, grade=grade_pb2.DATA_GRADE_L2, text=text)
    try:
        response = await door.parse_otc_inquiry(request, CALL_S)
    except InvalidArgument:  # a typed refusal invents nothing
        return {"intent": "other"}, True, (time.perf_counter() - began) * 1e3, True
    except MeshError:
        return None, False, (time.perf_counter() - began) * 1e3, True
    took_ms = (time.perf_counter() - began) * 1e3
    return of_message(response.inquiry), _is_json(response.own_text), took_ms, response.needs_confirmation


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


async def _general(site: Site, cases: Sequence[Case]) -> list[dict[str, Any] | None]:
    """What SmolLM2 reads under the same grammar."""
    found: list[dict[str, Any] | None] = []
    async with site.assistant() as door:
        for case in cases:
            folded = fold(case.text)
            try:
                written = "".join([text async for text in _written(door, folded.text)])
            except MeshError:
                found.append(None)
                continue
            found.append(by_field(reading.read(written, folded, _MASTER).inquiry))
    return found


async def _written(door: GatewayClient, text: str) -> AsyncGenerator[str, None]:
    asked = router.GenerateRequest(
        tenant=TENANT,
        grade=grade_pb2.DATA_GRADE_L2,
        conversation=router.Conversation(
            messages=[router.Message(role="system", content=_INSTRUCTION), router.Message(role="user", content=text)]
        ),
        max_output_tokens=192,
        sampling=generation.Sampling(choices=1),
        grammar=generation.Grammar(json_schema=constraint.schema(text)),
    )
    async with aclosing(door.generate(asked, 60.0)) as parts:
        async for part in parts:
            if part.HasField("delta"):
                yield part.delta.text
