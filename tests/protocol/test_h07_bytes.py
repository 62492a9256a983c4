"""H7 to H10, H14, H19. What becomes of bytes: both ends in one process over a Unix socket, spoilt by the campaign's own shims."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drills.faults_llm.shims.spoiling import SpoilingPublisher
from engine.handoff.arena import Arena
from engine.handoff.errors import HandoffError, PullFailed, Refused
from engine.handoff.puller import Puller
from engine.handoff.server import Server
from engine.handoff.ticket import Ticket

from tests.protocol.mutants import assert_fails_without, rewritten, swapped
from tests.unit.engine.handoff.makers import KEY, LAYOUT, MAX_LEN, NOW_S, Clock, Ends, claims, content, ends, row
from tests.unit.engine.handoff.waiting import until


@contextmanager
def both(**more: object) -> Iterator[Ends]:
    """Both ends in a folder of their own: a check runs several times."""
    with tempfile.TemporaryDirectory() as folder, ends(Path(folder), **more) as made:  # type: ignore[arg-type]
        yield made


@contextmanager
def spoilt(kind: str, *, heals: bool) -> Iterator[Ends]:
    """Every hand-off of the first epoch is spoilt in one way."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        publisher = SpoilingPublisher(
            Arena(LAYOUT, 4096 + 16 * LAYOUT.block_bytes), lambda: KEY, "incarnation-1", clock=clock, wall=lambda: NOW_S,
            draw=lambda _, epoch: kind if epoch == 1 else "", tell=lambda *_: None, heals=lambda _: heals,
        )  # fmt: skip
        server = Server(publisher, unix_path=Path(folder) / "kv")
        puller = Puller(LAYOUT, clock=clock, wall=lambda: NOW_S)
        try:
            yield Ends(publisher, server, puller, clock)
        finally:
            puller.links.close()
            server.close()
            publisher.close()


def pulled(here: Ends, ticket: Ticket, landing: object, *arguments: int) -> str:
    """What came of a pull: commit, or the reason why not."""
    try:
        return here.puller.pull(ticket, landing, *arguments).commit  # type: ignore[arg-type]
    except PullFailed as failed:
        return failed.reason


async def test_h7_freed_bytes_are_zero() -> None:
    def check() -> None:
        with both() as here:
            ticket = here.published(claims(MAX_LEN), row(1))
            assert pulled(here, ticket, row(None)) == "COMMITTED"
            until(lambda: here.publisher.held() == [])
            assert not any(here.publisher.arena.content(block, 64).any() for block in range(16))
            expired = here.published(claims(MAX_LEN), row(1))
            here.clock.now_s += 31.0
            here.publisher.sweep()
            assert not any(here.publisher.arena.content(block, 64).any() for block in range(16))
            assert pulled(here, expired, row(None)) == "LEASE_EXPIRED"

    await assert_fails_without("H7", check, swapped(Arena, "zeroise", lambda self, blocks: None))


async def test_h8_a_flipped_bit_is_always_found() -> None:
    def check() -> None:
        with spoilt("flipped_bit", heals=False) as here:
            landing = row(2)
            behind = content(landing, 200, MAX_LEN)
            assert pulled(here, here.published(claims(200), row(1)), landing) == "CHECKSUM"
            assert not any(content(landing, 0, 200))
            assert content(landing, 200, MAX_LEN) == behind

    await assert_fails_without(
        "H8", check, rewritten(Puller, "_land", "if found != ticket.checksums[place]:", "if False:")
    )  # fmt: skip


async def test_h9_all_or_nothing_and_one_more_try() -> None:
    def check() -> None:
        for kind in ("flipped_bit", "short_read"):
            with spoilt(kind, heals=kind == "flipped_bit") as here:
                source, landing = row(1), row(2)
                ticket = here.published(claims(200), source)
                if kind == "flipped_bit":
                    found = pulled(here, ticket, landing)
                    assert found == "COMMITTED"
                    assert content(landing, 0, 200) == content(source, 0, 200)
                else:
                    assert pulled(here, ticket, landing) == "SHORT_READ"
                    assert not any(content(landing, 0, 200))
                    assert here.publisher.machine.live()[ticket.handoff_id, 1].newest_pull == 2
                    second = here.published(claims(200, handoff_id=ticket.handoff_id, epoch=2), source)
                    assert pulled(here, second, landing) == "COMMITTED"

    await assert_fails_without(
        "H9",
        check,
        rewritten(Puller, "pull", "if failed.reason not in AGAIN or cancelled():", "if True:"),
        swapped(Puller, "_discard", lambda self, attempt: None),
    )


async def test_h10_verified_goes_on_unless_fenced() -> None:
    def check() -> None:
        with both() as here:
            ticket, looks = here.published(claims(200), row(1)), itertools.count()

            def late() -> bool:
                here.clock.now_s += 31.0 if next(looks) == 3 else 0.0
                return False

            here.puller._clock = lambda: 0.0  # it has another clock than the publisher, and no heartbeat is due
            assert here.puller.pull(ticket, row(None), cancelled=late).commit == "EXPIRED"
        with both() as here:
            ticket, looks = here.published(claims(200), row(1)), itertools.count()

            def gone() -> bool:
                if next(looks) == 3:
                    here.server.close()
                return False

            try:
                assert here.puller.pull(ticket, row(None), cancelled=gone).commit == "PEER_GONE"
            except PullFailed as failed:
                raise AssertionError("what was verified did not go on") from failed
        with both() as here:
            ticket, looks = here.published(claims(200), row(1)), itertools.count()

            def overtaken() -> bool:
                if next(looks) == 3:
                    here.publisher.grant(ticket.handoff_id, 1, ticket.access_token)
                return False

            landing = row(None)
            try:
                here.puller.pull(ticket, landing, cancelled=overtaken)
            except PullFailed as failed:
                assert failed.reason == "FENCED"
                assert not any(content(landing, 0, 200))
            else:
                raise AssertionError("it went on although it was fenced")

    await assert_fails_without(
        "H10",
        check,
        rewritten(Puller, "_commit", 'if refused.reason != "EXPIRED":', "if False:"),
        rewritten(Puller, "_commit", 'return "PEER_GONE"', 'raise Refused("PEER_GONE") from None'),
    )


async def test_h14_lengths_are_those_of_the_prompt() -> None:
    def check() -> None:
        with both() as here:
            source, landing = row(1), row(2)
            before = content(landing, 0, 128), content(landing, 200, MAX_LEN)
            try:
                here.puller.pull(here.published(claims(200), source), landing, 2)
            except HandoffError as error:
                raise AssertionError("a partial block was not pulled") from error
            assert (content(landing, 0, 128), content(landing, 200, MAX_LEN)) == before
            assert content(landing, 128, 200) == content(source, 128, 200)
            assert pulled(here, here.published(claims(200, first_block=2), source), landing, 1) == "GAP"

    await assert_fails_without(
        "H14",
        check,
        rewritten(Puller, "_land", "range(attempt.first_block, ticket.blocks)", "range(ticket.first_block, ticket.blocks)"),
        rewritten(Ticket, "valid_tokens", "self.last_valid_tokens if block == self.blocks - 1 else self.block_tokens", "self.block_tokens"),
        rewritten(Puller, "_begin", "if not ticket.first_block <= first_block < ticket.blocks:", "if False:"),
    )


async def test_h19_a_full_arena_refuses_before_any_work() -> None:
    def check() -> None:
        with both() as here:
            for _ in range(2):
                here.publisher.reserve(claims().handoff_id, 1, MAX_LEN)
            used, late = here.publisher.arena.used_bytes, claims()
            try:
                here.publisher.reserve(late.handoff_id, 1, 64)
            except Refused as refused:
                assert refused.reason == "OVERLOADED"
            except IndexError as error:
                raise AssertionError("it was not refused") from error
            assert here.publisher.arena.used_bytes == used
            here.clock.now_s += 61.0
            here.publisher.sweep()
            here.publisher.reserve(late.handoff_id, 1, 64)

    await assert_fails_without("H19", check, rewritten(Arena, "allocate", "if count > len(self._free):", "if False:"))
