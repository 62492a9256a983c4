"""A hand-off from the first token to a row that may run, two processes on one host, beside a copy of the same bytes.

`measure` is for the bench of LLM serving; `python -m bench.llm.handoff` prints it for the two sizes of its issue. Both rows are warm, the
arena is mapped before the first round, copies are taken between the rounds: what is compared was measured within the same second.
"""

from __future__ import annotations

import gc
import json
import multiprocessing as mp
import statistics
import tempfile
import time
import uuid
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from engine.handoff.arena import Arena
from engine.handoff.chain import block_ids
from engine.handoff.claims import Claims, FirstToken
from engine.handoff.layout import Layout
from engine.handoff.publisher import Publisher
from engine.handoff.puller import Puller
from engine.handoff.rows import RowView
from engine.handoff.server import Server
from engine.handoff.ticket import Ticket, TicketKey

CHUNK_TOKENS = 128
KEY = TicketKey("bench", b"k" * 32)
SIZES = {
    "shipped": Layout("float32", layers=30, kv_heads=3, head_dim=64, block_tokens=64, digest=b"s" * 16),
    "large": Layout("float32", layers=24, kv_heads=8, head_dim=64, block_tokens=64, digest=b"l" * 16),
}


@dataclass(frozen=True, slots=True)
class HandoffFigures:
    """Medians, milliseconds of one thread. ``total_ms``: from the beginning of packing to the end of the pull, by the wall.

    ``ahead_ms``: packing behind each chunk of the prompt but the last, before there is a first token. Packing and pulling hash what they
    copy; ``verify_ms`` is that share of a pull.
    """

    tokens: int
    size_bytes: int
    memcpy_ms: float
    ahead_ms: float
    total_ms: float
    pack_ms: float
    publish_ms: float
    ticket_ms: float
    pull_ms: float
    verify_ms: float

    @property
    def bound_ms(self) -> float:
        """What it must not take longer than."""
        return 3 * self.memcpy_ms + 5


def measure(layout: Layout, tokens: int = 1000, rounds: int = 21) -> HandoffFigures:
    """Hand ``tokens`` tokens over, ``rounds`` times after three to warm up."""
    ours, theirs = mp.Pipe()
    puller = mp.get_context("spawn").Process(target=_pull, args=(layout, tokens, theirs), daemon=True)
    puller.start()
    theirs.close()
    arena = Arena(layout, 4096 + 2 * layout.blocks(tokens) * (layout.block_bytes + 4096))
    publisher = Publisher(arena, lambda: KEY, "bench")
    with tempfile.TemporaryDirectory() as folder:
        server = Server(publisher, unix_path=Path(folder) / "kv")
        ours.send(publisher.locations)
        try:
            return _rounds(publisher, ours, tokens, rounds)
        finally:
            ours.send(None)
            puller.join(10)
            server.close()
            publisher.close()


def _rounds(publisher: Publisher, pipe: Connection, tokens: int, rounds: int) -> HandoffFigures:
    layout, prompt = publisher.layout, list(range(tokens))
    row = _row(layout, tokens)
    source = np.random.default_rng(0).integers(0, 255, tokens * layout.token_bytes, dtype=np.uint8)
    target = source.copy()
    ids, taken = block_ids(b"n" * 32, prompt), []
    gc.disable()
    for number in range(rounds + 3):
        claims = _claims(number, tokens, ids)
        publisher.reserve(claims.handoff_id, 1, tokens)
        publisher.start(claims.handoff_id, 1)
        before = time.perf_counter()
        for read in range(CHUNK_TOKENS, tokens, CHUNK_TOKENS):
            publisher.pack_ahead(claims.handoff_id, 1, row, read)
        ahead_s = time.perf_counter() - before
        before = time.perf_counter()
        signed, timing = publisher.publish(claims, row)
        pipe.send(signed)
        ended, ticket_s, pull_s, verify_s = pipe.recv()
        total_s = ended - before
        before = time.perf_counter()
        np.copyto(target, source)
        memcpy_s = time.perf_counter() - before
        while publisher.held():  # the bytes are zeroed behind the commit; the next round must not run beside it
            time.sleep(0.001)
        taken.append((memcpy_s, ahead_s, total_s, timing.pack_s, timing.publish_s, ticket_s, pull_s, verify_s))
    gc.enable()
    return HandoffFigures(tokens, source.nbytes, *(statistics.median(column) * 1000 for column in zip(*taken[3:], strict=True)))


def _pull(layout: Layout, tokens: int, pipe: Connection) -> None:
    """The decoding engine's side, a process of its own."""
    puller, landing = Puller(layout), _row(layout, tokens)
    puller.links.warm(pipe.recv())
    gc.disable()
    while (signed := pipe.recv()) is not None:
        before = time.perf_counter()
        ticket = Ticket.verify(signed, {KEY.key_id: KEY.secret})
        checked = time.perf_counter()
        pulled = puller.pull(ticket, landing)
        ended = time.perf_counter()  # one clock for all processes of a host
        pipe.send((ended, checked - before, ended - checked, pulled.verify_s))
    puller.links.close()


def _row(layout: Layout, tokens: int) -> RowView:
    shape = (layout.layers, 2, layout.kv_heads, max(tokens, 2048), layout.head_dim)
    memory = np.random.default_rng(1).random(shape, dtype=np.float32).astype(layout.dtype)
    return RowView(list(memory[:, 0]), list(memory[:, 1]))


def _claims(number: int, tokens: int, ids: tuple[bytes, ...]) -> Claims:
    handoff_id = uuid.UUID(int=int(time.time() * 1000) << 80 | 7 << 76 | 2 << 62 | number)
    return Claims(
        handoff_id=str(handoff_id),
        epoch=1,
        request_id=f"bench-{number}",
        model_digest=b"m" * 32,
        tokenizer_digest=b"t" * 32,
        token_count=tokens,
        block_ids=ids,
        first_tokens=(FirstToken(1, 0.0),),
        seed=number,
        next_index=1,
        grammar_digest=b"",
        first_block=0,
        namespace=b"n" * 32,
        grade=1,
        tenant_digest=b"t" * 32,
    )


if __name__ == "__main__":
    for name, layout in SIZES.items():
        figures = measure(layout)
        shown = {key: round(getattr(figures, key), 2) for key in HandoffFigures.__slots__} | {"bound_ms": round(figures.bound_ms, 2)}
        print(name, json.dumps(shown))
