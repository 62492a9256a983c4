"""Both ends as processes of their own, so that either can be killed or stopped in the middle of a transfer.

A puller is in the middle when it looks whether it is cancelled before the third block: there it reports, and waits for what it is told.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from engine.handoff.arena import Arena
from engine.handoff.errors import PullFailed, Refused
from engine.handoff.publisher import Publisher
from engine.handoff.puller import Puller, PullLimits
from engine.handoff.server import Server, ServerLimits
from engine.handoff.ticket import Ticket

from tests.unit.engine.handoff.certificates import tls_end
from tests.unit.engine.handoff.makers import KEY, KEYS, LAYOUT, MAX_LEN, claims, content, row

COUNT = 500
SWEEP_S = 0.02
PATIENCE_S = 20.0
HUNG_S = 60.0


@dataclass
class Peer:
    """One process and the pipe to it."""

    process: BaseProcess
    pipe: Connection

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def kill(self) -> None:
        """kill -9, and wait until it is dead."""
        self.process.kill()
        self.process.join(20)

    def hear(self) -> Any:
        """What it says next."""
        assert self.pipe.poll(HUNG_S), "nothing was heard"
        return self.pipe.recv()

    def ask(self, *question: Any) -> Any:
        """Say something and hear the answer."""
        self.pipe.send(question)
        return self.hear()


@contextmanager
def peers() -> Iterator[Callable[..., Peer]]:
    """``spawn(target, *arguments)``: a process that is gone in the end."""
    context, started = mp.get_context("forkserver"), []
    context.set_forkserver_preload([__name__])

    def spawn(target: Callable[..., None], *arguments: Any) -> Peer:
        ours, theirs = context.Pipe()
        process = context.Process(target=target, args=(theirs, *arguments), daemon=True)
        process.start()
        theirs.close()
        started.append(Peer(process, ours))
        return started[-1]

    try:
        yield spawn
    finally:
        for each in started:
            each.kill()
            each.process.close()
            each.pipe.close()


class Shifted:
    """The real clock, and what a test adds to it: no test waits for a lease."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


def publish(pipe: Connection, folder: Path, shared: bool, stall_s: float) -> None:
    """P: answers ("publish", seed, claims' changes), ("held",), ("used",), ("stalled",), ("pass", seconds)."""
    clock = Shifted()
    tls = None if shared else tls_end(folder / "certificates", "inference-prefill", "inference-decode")
    arena = Arena(LAYOUT, 4096 + 32 * LAYOUT.block_bytes)
    publisher = Publisher(arena, lambda: KEY, f"p-{os.getpid()}", clock=clock)
    limits = ServerLimits(stall_s=stall_s, io_s=PATIENCE_S)
    server = Server(publisher, unix_path=folder / "kv" if shared else None, tls=tls, limits=limits)
    ended = threading.Event()
    threading.Thread(target=_sweep, args=(publisher, ended), daemon=True).start()
    while True:
        try:
            question, *arguments = pipe.recv()
        except EOFError:
            return
        if question == "publish":
            seed, changes = arguments
            said = claims(COUNT, **changes)
            try:
                publisher.reserve(said.handoff_id, said.epoch, COUNT)
                publisher.start(said.handoff_id, said.epoch)
                pipe.send(publisher.publish(said, row(seed))[0])
            except Refused as refused:
                pipe.send(refused.reason)
        elif question == "held":
            pipe.send(publisher.held())
        elif question == "used":
            pipe.send((arena.used_bytes, sum(int(arena.content(block, 64).any()) for block in range(arena.blocks))))
        elif question == "stalled":
            pipe.send(server.stalled)
        elif question == "pass":
            clock.ahead_s += arguments[0]
            pipe.send(clock.ahead_s)


def _sweep(publisher: Publisher, ended: threading.Event) -> None:
    while not ended.wait(SWEEP_S):
        publisher.sweep()


def pull(pipe: Connection, folder: Path, signed: bytes, shared: bool, wait_in_the_middle: bool, io_s: float = PATIENCE_S) -> None:
    """D: says "middle" before the third block and waits for a word; then reason or commit, pulls, whether the row is right, or zero."""
    tls = None if shared else tls_end(folder / "certificates", "inference-decode", "inference-prefill")
    looks = 0

    def cancelled() -> bool:
        nonlocal looks
        looks += 1
        if looks == 3 and wait_in_the_middle:
            pipe.send("middle")
            pipe.recv()
        return False

    landing = row(None)
    puller = Puller(LAYOUT, tls, limits=PullLimits(io_s=io_s))
    try:
        pulled = puller.pull(Ticket.verify(signed, KEYS), landing, cancelled=cancelled)
        said = (pulled.commit, pulled.pulls)
    except PullFailed as failed:
        said = (failed.reason, 0)
    right = content(landing, 0, COUNT) == content(row(1), 0, COUNT)
    pipe.send((*said, right, not any(content(landing, 0, MAX_LEN))))
    puller.links.close()
