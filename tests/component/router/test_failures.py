"""The table of failures over real sockets: what the caller gets, what the workers are asked for, and that nothing is left over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from finmesh.inference.v1 import worker_pb2
from finmesh.router.v1 import router_service_pb2 as pb
from meshkit.errors import DataCorrupted, DeadlineExceeded, FailedPrecondition, NotFound, Overloaded, Unavailable
from router.domain.generation import Finish

from .conftest import PROMPT, Heard, Site, Sites, scenario, until
from .inference import DecodeNode, Fault, Ledger, Node, PrefillNode, answer, forever


def raising(error: Exception) -> Fault:
    async def fault() -> None:
        raise error

    return fault


def dying(node: Node) -> Fault:
    async def fault() -> None:
        dying.tasks.append(asyncio.ensure_future(node.kill()))  # type: ignore[attr-defined]
        await forever()

    return fault


dying.tasks = []  # type: ignore[attr-defined]


def once(position: int, fault: Fault) -> Callable[[int], Awaitable[None]]:
    """Go wrong before the first message from this position on."""
    left = [fault]

    async def between(start: int) -> None:
        if start >= position and left:
            await left.pop()()

    return between


async def whole(mesh: Site, heard: Heard | None = None) -> Heard:
    """A right answer, after which nothing is held."""
    heard = heard or await mesh.generate()
    assert heard.is_right(), heard.text()
    assert not heard.of("continued")
    await mesh.nothing_is_held()
    assert [end.error for end in mesh.records.ends] == [""]
    return heard


P_FAILS: dict[str, Callable[[PrefillNode], Fault]] = {
    "dies": dying,
    "hangs": lambda node: forever,
    "has a bug": lambda node: raising(RuntimeError("a card number 6222020000000000000 of the bug")),
    "is down": lambda node: raising(Unavailable("no", reason="NO_WORKER")),
    "is overloaded": lambda node: raising(Overloaded("full", reason="OVERLOADED")),
    "was fenced": lambda node: raising(FailedPrecondition("late", reason="STALE_EPOCH")),
}


@pytest.mark.parametrize("how", P_FAILS)
async def test_another_prefill_worker_in_a_new_epoch(site: Sites, how: str) -> None:
    async with site(prefills=2, prefill_ms=500) as mesh:
        for node in mesh.prefills:
            other = mesh.prefills[1 - mesh.prefills.index(node)]

            async def fault(node: PrefillNode = node, other: PrefillNode = other) -> None:
                other.faults.clear()
                await P_FAILS[how](node)()

            node.faults.append(fault)
        heard = await whole(mesh)
        asked = [request for node in mesh.prefills for request in node.asked]
        assert sorted(request.epoch for request in asked) == [1, 2]
        assert len({request.handoff_id for request in asked}) == 1
        assert heard.how.failovers == 1
        assert heard.how.disaggregated


@pytest.mark.parametrize(("how", "missing"), [("dies", "PREFILL_DOWN"), ("is overloaded", "PREFILL_BUSY"), ("hangs", "PREFILL_DOWN")])
async def test_without_a_prefill_worker_a_short_prompt_is_read_by_the_decode_worker(site: Sites, how: str, missing: str) -> None:
    async with site(prefill_ms=500) as mesh:
        mesh.prefills[0].faults.append(P_FAILS[how](mesh.prefills[0]))
        heard = await whole(mesh)
        assert not mesh.decodes[0].asked[0].ticket
    assert (list(heard.how.degradations), heard.how.disaggregated, heard.how.reason) == ([missing], False, missing)


async def test_no_prefill_worker_at_all(site: Sites) -> None:
    async with site(prefills=0) as mesh:
        heard = await whole(mesh)
    assert list(heard.how.degradations) == ["PREFILL_DOWN"]


@pytest.mark.parametrize(("prompt", "busy"), [("x" * 101, 0), ("x", 8)])
async def test_a_long_prompt_or_a_busy_decode_worker_is_an_error_instead(site: Sites, prompt: str, busy: int) -> None:
    async with site(prefills=0) as mesh:
        mesh.decodes[0].load.rows_used = 7 if busy else 0
        mesh.decodes[0].load.queued = 1 if busy else 0
        await mesh.decodes[0].tell()

        async def is_refused() -> bool:
            try:
                await mesh.generate(mesh.ask(prompt * 2))
            except Unavailable as error:
                return error.reason == "NO_WORKER"
            return False

        await until(is_refused)
        await mesh.nothing_is_held()


async def test_only_workers_of_one_layout_hand_over_to_one_another(site: Sites) -> None:
    ledger = Ledger()
    odd, even = PrefillNode("prefill-odd", ledger, layout=b"another-layout--"), PrefillNode("prefill-even", ledger)
    async with site(prefills=[odd, even], ledger=ledger) as mesh:
        for _ in range(4):
            assert (await mesh.generate()).how.prefill_worker == "prefill-even"
        assert odd.asked == []


@pytest.mark.parametrize("leg", ["prefill", "decode"])
async def test_a_pair_whose_layouts_differ_is_never_tried_again(site: Sites, leg: str) -> None:
    async with site(prefills=2) as mesh:
        differs = raising(FailedPrecondition("differs", reason="LAYOUT_MISMATCH"))
        if leg == "decode":
            mesh.decodes[0].faults.append(differs)
        else:
            for node in mesh.prefills:

                async def fault() -> None:
                    for each in mesh.prefills:
                        each.faults.clear()
                    await differs()

                node.faults.append(fault)
        first = await whole(mesh)
        tried = {node.name: len(node.asked) for node in mesh.prefills}
        unfit = next(name for name in tried if name != first.how.prefill_worker)
        assert tried == dict.fromkeys(tried, 1)
        for _ in range(5):
            assert (await mesh.generate()).how.prefill_worker == first.how.prefill_worker
        node = next(each for each in mesh.prefills if each.name == unfit)
        await node.kill()
        await node.restart()  # another incarnation: it may have another layout now
        await mesh.known()
        await next(each for each in mesh.prefills if each is not node).kill()

        async def is_used() -> bool:
            return (await mesh.generate()).how.prefill_worker == unfit

        await until(is_used)


TRANSFERS = [
    DataCorrupted("checksum"),
    Unavailable("short read twice", reason="PULL_FAILED"),
    Unavailable("lease", reason="LEASE_EXPIRED"),
    FailedPrecondition("ticket", reason="TICKET_REFUSED"),
    FailedPrecondition("fenced", reason="FENCED"),
]


@pytest.mark.parametrize("error", TRANSFERS, ids=lambda error: error.reason)
@pytest.mark.parametrize("prefills", [1, 2])
async def test_a_transfer_that_failed_is_begun_anew(site: Sites, error: Exception, prefills: int) -> None:
    async with site(prefills=prefills) as mesh:
        mesh.decodes[0].faults.append(raising(error))
        heard = await whole(mesh)
        asked = [(node.name, request.epoch) for node in mesh.prefills for request in node.asked]
        assert sorted(epoch for _, epoch in asked) == [1, 2]
        assert len({name for name, _ in asked}) == prefills  # another one when there is one
        assert heard.how.disaggregated
        # the failure was not the decode worker's: it is asked again at once
        assert len(mesh.decodes[0].asked) == 2


D_FAILS: dict[str, Callable[[DecodeNode], Fault]] = {
    "dies": dying,
    "hangs": lambda node: forever,
    "has a bug": lambda node: raising(RuntimeError("bug")),
    "is overloaded": lambda node: raising(Overloaded("full", reason="OVERLOADED")),
    "lost the reservation": lambda node: raising(NotFound("gone", reason="RESERVATION_LOST")),
}


def first_to_fail(nodes: list[DecodeNode], make: Callable[[DecodeNode], Fault]) -> None:
    """Whoever is asked first fails; the others don't."""
    for node in nodes:

        async def fault(node: DecodeNode = node) -> None:
            for each in nodes:
                each.faults.clear()
            await make(node)()

        node.faults.append(fault)


@pytest.mark.parametrize("how", D_FAILS)
async def test_the_same_ticket_goes_to_another_decode_worker(site: Sites, how: str) -> None:
    async with site(decodes=2, commit_ms=500) as mesh:
        first_to_fail(mesh.decodes, D_FAILS[how])
        heard = await whole(mesh)
        assert len(mesh.prefills[0].asked) == 1
        one, other = (request for node in mesh.decodes for request in node.asked)
        assert one.ticket == other.ticket
        assert heard.how.failovers == 1


async def test_a_ticket_whose_lease_is_over_is_not_used_again(site: Sites) -> None:
    ledger = Ledger()
    prefill = PrefillNode("prefill-0", ledger)
    prefill.lease_ms = 0
    async with site(prefills=[prefill], decodes=2, ledger=ledger) as mesh:
        first_to_fail(mesh.decodes, D_FAILS["has a bug"])
        await whole(mesh)
        assert [request.epoch for request in prefill.asked] == [1, 2]


async def test_a_decode_worker_that_holds_less_of_the_prefix_needs_another_ticket(site: Sites) -> None:
    async with site(decodes=2) as mesh:
        for node in mesh.decodes:
            node.cached_blocks = 3

        def make(node: DecodeNode) -> Fault:
            for each in mesh.decodes:
                if each is not node:
                    each.cached_blocks = 1
            return raising(RuntimeError("bug"))

        first_to_fail(mesh.decodes, make)
        await whole(mesh)
        assert [request.first_block for request in mesh.prefills[0].asked] == [3, 1]


async def test_death_after_the_commit_and_before_the_first_byte_begins_anew(site: Sites) -> None:
    """The publisher has freed what it held. The stop string holds the first characters back, so that no byte was sent."""
    async with site(decodes=2) as mesh:
        for node in mesh.decodes:

            async def fault(start: int, node: DecodeNode = node) -> None:
                if start == 4:
                    for each in mesh.decodes:
                        each.between = None
                    await dying(node)()

            node.between = fault
        heard = await mesh.generate(mesh.ask(stop=["第0个回答 to nobody"]))
        await whole(mesh, heard)
        assert [request.epoch for request in mesh.prefills[0].asked] == [1, 2]


async def test_a_decode_worker_that_reads_the_prompt_itself_and_dies(site: Sites) -> None:
    async with site(decodes=2, scenarios=scenario(mode="never")) as mesh:
        first_to_fail(mesh.decodes, dying)
        heard = await whole(mesh)
        assert mesh.prefills[0].asked == []
    assert (heard.how.failovers, heard.how.reason) == (1, "NEVER")


async def broken(mesh: Site, fault: Callable[[DecodeNode], Fault], position: int = 9) -> None:
    """Whoever writes first breaks after some tokens."""
    for node in mesh.decodes:

        async def between(start: int, node: DecodeNode = node) -> None:
            if start >= position:
                for each in mesh.decodes:
                    each.between = None
                await fault(node)()

        node.between = between


@pytest.mark.parametrize("how", ["dies", "hangs", "has a bug", "is overloaded"])
@pytest.mark.parametrize("mode", ["always", "never"])
async def test_a_stream_that_breaks_goes_on_elsewhere_with_every_token_once(site: Sites, how: str, mode: str) -> None:
    async with site(decodes=2, silence_ms=400, scenarios=scenario(mode=mode)) as mesh:
        await broken(mesh, D_FAILS[how])
        heard = await mesh.generate(mesh.ask(return_token_ids=True))
        await mesh.nothing_is_held()
        first, second = sorted((request for node in mesh.decodes for request in node.asked), key=lambda asked: len(asked.emitted))
        assert bool(first.ticket) == (mode == "always") and not second.ticket
        end = mesh.records.ends[0]
    assert heard.is_right()
    assert [token for delta in heard.of("delta") for token in delta.token_ids] == answer(
        [ord(each) for each in PROMPT], heard.admitted.seed, 0
    )
    assert len(heard.of("continued")) == 1
    assert list(end.provenance.continued) == [heard.of("continued")[0].reason]
    assert (heard.how.failovers, end.error) == (1, "")
    assert heard.how.decode_worker == {node.name for node in mesh.decodes if second in node.asked}.pop()


async def test_several_answers_go_on_where_they_were(site: Sites) -> None:
    async with site(decodes=2) as mesh:
        await broken(mesh, dying, position=30)
        request = mesh.ask()
        request.sampling.choices = 3
        heard = await mesh.generate(request)
        await mesh.nothing_is_held()
    assert all(heard.is_right(choice) for choice in range(3))
    assert len(heard.of("finished")) == 3


async def test_tokens_that_were_left_out_are_a_failure_of_the_worker(site: Sites) -> None:
    async with site(decodes=2, scenarios=scenario(mode="never")) as mesh:

        def dishonest(node: DecodeNode) -> Fault:
            async def fault() -> None:
                node.is_honest = False

            return fault

        first_to_fail(mesh.decodes, dishonest)
        assert (await mesh.generate()).is_right()
        await mesh.nothing_is_held()


@pytest.mark.parametrize("scenarios", [scenario(on_break="error"), scenario()])
async def test_else_the_caller_is_told_that_the_stream_broke(site: Sites, scenarios: str) -> None:
    """By the scenario's policy, or because there is no other worker of the same model."""
    async with site(decodes=2 if "error" in scenarios else 1, scenarios=scenarios) as mesh:
        await broken(mesh, D_FAILS["has a bug"])
        heard = Heard()
        with pytest.raises(Unavailable) as failed:
            await mesh.generate(heard=heard)
        await mesh.nothing_is_held()
        end = mesh.records.ends[0]
    assert failed.value.reason == "STREAM_BROKEN"
    assert failed.value.metadata["because"] == "INTERNAL"
    assert (end.error, end.finished[0].reason) == ("STREAM_BROKEN", Finish.ERROR)
    assert end.usage.output_tokens == len(end.output_tokens[0]) >= len(heard.text())


async def test_a_worker_that_fails_again_and_again_is_left_alone_for_a_while(site: Sites) -> None:
    async with site(prefills=1, breaker_ms=60_000) as mesh:
        mesh.prefills[0].faults.extend([raising(Unavailable("no"))] * 3)
        heard = [await mesh.generate() for _ in range(5)]
        assert all(each.is_right() for each in heard)
        assert len(mesh.prefills[0].asked) == 3
        # Nobody asks to be told that the breaker is open.
        assert [start.prefill is not None for start in mesh.records.starts] == [True, True, True, False, False]
        # Each leg has a breaker of its own, and what is not a worker's fault does not count against it.
        for _ in range(2):
            mesh.decodes[0].faults.extend([raising(NotFound("gone", reason="RESERVATION_LOST"))] * 2)
            assert (await mesh.generate()).is_right()


async def test_a_caller_in_a_hurry_says_nothing_about_a_worker(site: Sites) -> None:
    async with site(silence_ms=60_000, breaker_ms=60_000) as mesh:
        for _ in range(4):
            mesh.decodes[0].faults.append(forever)
            with pytest.raises(DeadlineExceeded):
                await mesh.generate(timeout=0.2)
        assert (await mesh.generate()).is_right()


async def test_the_reader_is_too_slow(site: Sites) -> None:
    async with site(decodes=2) as mesh:
        await broken(mesh, lambda node: raising(Overloaded("slow", reason="READER_TOO_SLOW")))
        with pytest.raises(Overloaded) as failed:
            await mesh.generate()
        assert failed.value.reason == "READER_TOO_SLOW"
        assert sum(len(node.asked) for node in mesh.decodes) == 1
        await mesh.nothing_is_held()


@pytest.mark.parametrize("where", ["reserve", "prefill", "handover", "stream"])
async def test_a_caller_that_goes_away_leaves_nothing(site: Sites, where: str) -> None:
    async with site() as mesh:
        reached, decode = asyncio.Event(), mesh.decodes[0]

        async def stuck() -> None:
            reached.set()
            await forever()

        if where == "reserve":

            async def late() -> None:
                reached.set()
                await asyncio.sleep(0.1)  # the answer comes when nobody waits for it any more

            decode.reserve_faults.append(late)
        elif where == "prefill":
            mesh.prefills[0].faults.append(stuck)
        elif where == "handover":
            decode.faults.append(stuck)
        else:
            decode.between = once(9, stuck)
        asking = asyncio.ensure_future(mesh.generate())
        await reached.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await mesh.nothing_is_held()
        if where == "reserve":

            async def is_reserved() -> bool:
                return bool(mesh.ledger.log)

            await until(is_reserved)
            await mesh.nothing_is_held()
            assert mesh.records.order == []
        else:
            await mesh.recorded()
            assert (mesh.records.ends[0].error, mesh.records.ends[0].finished[0].reason) == ("CANCELLED", Finish.CANCELLED)
        if where in ("prefill", "handover"):
            assert "abort prefill-0" in mesh.ledger.log
        assert (await mesh.generate()).is_right()


@pytest.mark.parametrize("where", ["prefill", "handover", "stream"])
async def test_a_deadline_ends_it_in_every_phase(site: Sites, where: str) -> None:
    async with site(prefills=2, decodes=2, silence_ms=60_000, prefill_ms=60_000, commit_ms=60_000) as mesh:
        if where == "prefill":
            for prefill in mesh.prefills:
                prefill.faults.append(forever)
        else:
            for decode in mesh.decodes:
                decode.faults.extend([forever] if where == "handover" else [])
                decode.between = once(9, forever)
        with pytest.raises(DeadlineExceeded):
            await mesh.generate(timeout=0.7)
        await mesh.nothing_is_held()
        await mesh.recorded()
        assert mesh.records.ends[0].error in ("DEADLINE_EXCEEDED", "DEADLINE_TOO_NEAR", "CANCELLED")
        assert sum(len(node.asked) for node in mesh.nodes) == (1 if where == "prefill" else 2)  # nothing is tried again
        if where != "stream":

            async def is_aborted() -> bool:  # though no time is left
                return any(each.startswith("abort") for each in mesh.ledger.log)

            await until(is_aborted)


async def test_the_room_is_kept_while_the_prompt_is_read_elsewhere(site: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.steps.prefill.TTL_S", 0.09)
    async with site() as mesh:

        async def slow() -> None:
            async def is_renewed() -> bool:
                return mesh.decodes[0].renewed >= 2

            await until(is_renewed)

        mesh.prefills[0].faults.append(slow)
        await whole(mesh)
        seen = mesh.decodes[0].renewed
        await mesh.generate()
        assert mesh.decodes[0].renewed == seen  # nobody renews what is not waited for


async def test_what_a_wrong_engine_said_is_not_gone_on_from(site: Sites) -> None:
    async with site(decodes=2) as mesh:
        for node in mesh.decodes:
            node.between = once(10, raising(Unavailable("found wrong", reason="ENGINE_WRONG")))
        heard = Heard()
        with pytest.raises(Unavailable) as caught:
            await mesh.generate(heard=heard)
        assert (caught.value.reason, caught.value.metadata["because"]) == ("STREAM_BROKEN", "ENGINE_WRONG")
        assert heard.text() and not heard.of("continued")
        await mesh.nothing_is_held()


async def test_keys_and_values_of_an_engine_that_was_found_wrong_meanwhile_are_not_used(site: Sites) -> None:
    async with site(prefills=2) as mesh:

        async def found_wrong() -> None:
            (wrong,) = [node for node in mesh.prefills if node.asked]
            for decode in mesh.decodes:
                decode.faults.clear()
            wrong.load.state, wrong.load.reason = worker_pb2.WORKER_STATE_ISOLATED, "ENGINE_WRONG"
            await wrong.tell()

            async def is_known() -> bool:
                response = await mesh.stub.ListBackends(pb.ListBackendsRequest(tenant="bank-a"))
                return [each.load.reason for each in response.backends if each.description.worker_id == wrong.name] == ["ENGINE_WRONG"]

            await until(is_known)

        mesh.decodes[0].faults.append(found_wrong)
        heard = await whole(mesh)
        assert len([node for node in mesh.prefills if node.asked]) == 2
        assert heard.how.failovers
