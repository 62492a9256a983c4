"""The bare encoder: passages and word pieces a second, a question's time, memory. What retrieval and ingestion are measured beside.

`speed` and `latency_ms` take the adapter that rag uses, so that others can ask the encoder that their mesh runs. Surprising: on a busy
machine a second of processor time is what compares, so `Speed` has both.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from localmesh.encoder import NAME, encoder_row
from localmesh.ports import LOOPBACK
from meshkit.triton.client import TritonClient
from rag.adapters.triton_encoder import TritonEncoder
from rag.ports import Encoder, Kind

from bench.report import Figures, Target
from bench.site import opened_with

WORDS = {
    "passages_per_s": "passages of about 150 pieces encoded, a second",
    "pieces_per_s": "word pieces encoded, a second",
    "passages_per_cpu_s": "passages encoded in a second of the encoder's processor time",
    "query_p50_ms": "one question alone, median",
    "query_p99_ms": "one question alone",
    "query_busy_p50_ms": "one question while passages are encoded, median",
    "rss_mib": "resident memory of Triton and its stub after all that",
}
TARGETS = {"rss_mib": Target(max=350)}
_AT_ONCE = 256
_ENGLISH = (
    "The policyholder shall notify the company of any loss within thirty days, and provide the documents listed in clause {n}. "
    "Revenue of the segment rose by {n} percent to {n} million, mainly because of lower claims in the third quarter. "
)
_CHINESE = (
    "投保人应当在保险事故发生后{n}日内通知本公司，并提供第{n}条所列的证明和资料；"
    "逾期未通知的，本公司对无法确定的部分不承担给付保险金的责任。"
)
_QUESTIONS = ("等待期内出险赔付吗，第{n}条怎么规定？", "How did revenue of the segment change in {n}?")


@dataclass(frozen=True, slots=True)
class Speed:
    """Of one stretch. `pieces` are word pieces with prefix, begin and end."""

    passages: int
    pieces: int
    wall_s: float

    @property
    def passages_per_s(self) -> float:
        return self.passages / self.wall_s

    @property
    def pieces_per_s(self) -> float:
        return self.pieces / self.wall_s


async def speed(encoder: TritonEncoder, texts: Sequence[str], seconds: float) -> Speed:
    """Encode texts, from the beginning again when all are, until `seconds` are over."""
    at, passed, passages, pieces = 0, 0.0, 0, 0
    while passed < seconds or not passages:
        batch = texts[at : at + _AT_ONCE]
        at = (at + _AT_ONCE) % len(texts) if at + _AT_ONCE < len(texts) else 0
        passed += await encode_s(encoder, batch)
        passages += len(batch)
        pieces += sum(map(len, await encoder.pieces(batch, Kind.PASSAGE)))  # counted, but not measured
    return Speed(passages, pieces, passed)


async def encode_s(encoder: Encoder, texts: Sequence[str]) -> float:
    """Return the seconds that encoding passages took, 256 at a time."""
    begun = time.perf_counter()
    for at in range(0, len(texts), _AT_ONCE):
        await encoder.encode(texts[at : at + _AT_ONCE], Kind.PASSAGE)
    return time.perf_counter() - begun


async def latency_ms(encoder: Encoder, questions: Sequence[str], *, warm_ups: int = 20) -> list[float]:
    """Milliseconds of each question, one after the other."""
    for question in questions[:warm_ups]:
        await encoder.encode([question], Kind.QUERY)
    found = []
    for question in questions:
        begun = time.perf_counter()
        await encoder.encode([question], Kind.QUERY)
        found.append((time.perf_counter() - begun) * 1_000)
    return found


def passages(count: int) -> list[str]:
    """Texts of about 150 pieces, half of them Chinese."""
    return [(_ENGLISH if at % 2 else _CHINESE).format(n=at % 97) * 3 for at in range(count)]


def questions(count: int) -> list[str]:
    return [_QUESTIONS[at % 2].format(n=at) for at in range(count)]


async def measure(var: Path | None, seconds: float, say: Callable[[str], None]) -> Figures:
    """The encoder of the checkout, in a Triton of its own."""
    async with (
        opened_with(var, lambda places, ports: [encoder_row(places, ports)]) as site,
        TritonClient(f"{LOOPBACK}:{site.ports.triton_encoder_grpc}") as client,
    ):
        encoder = TritonEncoder(client, site.places.encoder_model, timeout_s=60.0)
        texts, asked = passages(2_048), questions(200)
        say("questions, one after the other")
        alone = await latency_ms(encoder, asked)
        say(f"passages for {seconds:g} s")
        before = site.usage()[NAME].cpu_s
        found = await speed(encoder, texts, seconds)
        used = site.usage()[NAME].cpu_s - before
        say("questions while passages are encoded")
        beside = asyncio.create_task(speed(encoder, texts, seconds / 2))
        busy: list[float] = []
        while not beside.done():
            busy += await latency_ms(encoder, asked[:10], warm_ups=0)
        await beside
        return Figures(
            "the bare encoder",
            {
                "passages_per_s": found.passages_per_s,
                "pieces_per_s": found.pieces_per_s,
                "passages_per_cpu_s": found.passages / used,
                "query_p50_ms": float(np.percentile(alone, 50)),
                "query_p99_ms": float(np.percentile(alone, 99)),
                "query_busy_p50_ms": float(np.percentile(busy, 50)),
                "rss_mib": site.usage()[NAME].rss_mib,
            },
            TARGETS,
            WORDS,
        )
