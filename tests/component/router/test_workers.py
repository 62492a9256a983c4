"""What the router knows of workers, over real sockets: events with numbers, restarts, instances that come and go."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from finmesh.inference.v1 import worker_pb2
from finmesh.router.v1 import router_service_pb2 as pb
from router.adapters import grpc_workers
from router.adapters.dns_instances import instances

from .conftest import PROMPT, Site, Sites, scenario, until
from .inference import BLOCK_TOKENS, DecodeNode, Ledger, PrefillNode

BLOCKS = len(PROMPT) // BLOCK_TOKENS


def event(seq: int, stored: Any = (), removed: Any = (), cleared: bool = False) -> worker_pb2.KvEvent:
    return worker_pb2.KvEvent(seq=seq, stored=stored, removed=removed, cleared=cleared)


async def names(mesh: Site) -> set[str]:
    """Workers that are listed."""
    response = await mesh.stub.ListBackends(pb.ListBackendsRequest(tenant="bank-a"))
    return {each.description.worker_id for each in response.backends}


async def cached(mesh: Site, worker: str) -> int:
    """How much of the prompt the router believes to be cached at a worker."""
    await mesh.generate()
    return next(score.cached_blocks for score in mesh.records.starts[-1].decode.scores if score.worker == worker)


async def ids_of(mesh: Site) -> list[bytes]:
    await mesh.generate()
    return list(next(request for node in mesh.decodes for request in node.reserved).block_ids)


async def test_a_hole_in_the_numbers_is_replayed_from_the_last_one(site: Sites) -> None:
    async with site(prefills=0, decodes=2, scenarios=scenario(mode="never")) as mesh:
        ids, node = await ids_of(mesh), mesh.decodes[1]
        hidden = event(2, removed=ids[3:])
        node.events += [event(1, ids), event(3, ids[3:4])]  # 2 is missing
        await node.tell()

        async def asks_again() -> bool:
            return 1 in node.positions

        await until(asks_again)
        assert await cached(mesh, "decode-1") == BLOCKS  # what came after the hole was not taken
        node.events.insert(1, hidden)
        await node.tell()

        async def is_replayed() -> bool:
            return await cached(mesh, "decode-1") == 4

        await until(is_replayed)


async def test_a_snapshot_stands_for_events_that_are_no_longer_kept(site: Sites) -> None:
    async with site(prefills=0, decodes=2, scenarios=scenario(mode="never")) as mesh:
        ids, node = await ids_of(mesh), mesh.decodes[1]
        node.events += [event(700, ids[:2], cleared=True), event(701, ids[2:3])]
        await node.tell()

        async def is_known() -> bool:
            return await cached(mesh, "decode-1") == 3

        await until(is_known)


async def test_a_restarted_worker_has_nothing_cached(site: Sites) -> None:
    async with site(prefills=0, decodes=2, scenarios=scenario(mode="never")) as mesh:
        ids, node = await ids_of(mesh), mesh.decodes[1]
        node.events.append(event(1, ids))
        await node.tell()

        async def is_known() -> bool:
            return await cached(mesh, "decode-1") == BLOCKS

        await until(is_known)
        await node.kill()
        await node.restart()
        await mesh.known()
        assert await cached(mesh, "decode-1") == 0
        assert node.positions[-1] == 0


async def test_a_watch_that_broke_goes_on_after_the_last_event(site: Sites) -> None:
    async with site(prefills=0, decodes=2, scenarios=scenario(mode="never")) as mesh:
        ids, node = await ids_of(mesh), mesh.decodes[1]
        node.events.append(event(1, ids))
        await node.tell()

        async def is_known() -> bool:
            return await cached(mesh, "decode-1") == BLOCKS

        await until(is_known)
        await node.kill()
        await node.start()  # the service in front of the engine: the incarnation is the same

        async def is_watched() -> bool:
            return len(node.positions) == 2

        await until(is_watched)
        assert node.positions == [0, 1]
        assert await cached(mesh, "decode-1") == BLOCKS


async def test_a_worker_that_is_gone_is_forgotten(site: Sites) -> None:
    async with site(decodes=2) as mesh:
        mesh.decodes[1].is_gone = True
        await mesh.decodes[1].tell()

        async def is_forgotten() -> bool:
            return await names(mesh) == {"decode-0", "prefill-0"}

        await until(is_forgotten)
        assert (await mesh.generate()).is_right()


@pytest.mark.parametrize("state", [worker_pb2.WORKER_STATE_DRAINING, worker_pb2.WORKER_STATE_ISOLATED, worker_pb2.WORKER_STATE_STARTING])
async def test_a_worker_that_is_not_ready_gets_nothing(site: Sites, state: int) -> None:
    async with site(decodes=2) as mesh:
        mesh.decodes[1].load.state = state  # type: ignore[assignment]
        await mesh.decodes[1].tell()

        async def is_noted() -> bool:
            response = await mesh.stub.ListBackends(pb.ListBackendsRequest(tenant="bank-a"))
            return response.backends[1].load.state == state

        await until(is_noted)
        for _ in range(4):
            await mesh.generate()
        assert mesh.decodes[1].asked == []


async def test_instances_come_and_go_with_the_name(site: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger()
    late = DecodeNode("decode-late", ledger)
    await late.start()
    known: dict[str, frozenset[str]] = {}

    async def resolved(target: str) -> frozenset[str]:
        return await instances(target) | known.get("now", frozenset())

    monkeypatch.setattr(grpc_workers, "instances", resolved)
    monkeypatch.setattr(grpc_workers, "RESOLVE_S", 0.05)
    async with site(prefills=0, ledger=ledger, scenarios=scenario(mode="never")) as mesh:
        known["now"] = frozenset({late.address})

        async def has_come() -> bool:
            return "decode-late" in await names(mesh)

        await until(has_come)
        await mesh.decodes[0].kill()

        async def takes_over() -> bool:
            return (await mesh.generate()).how.decode_worker == "decode-late"

        await until(takes_over)
        writes, go = asyncio.Event(), asyncio.Event()

        async def hold(start: int) -> None:
            if start >= 9:
                writes.set()
                await go.wait()

        late.between = hold
        running = asyncio.ensure_future(mesh.generate())
        await writes.wait()
        del known["now"]

        async def has_gone() -> bool:
            return await names(mesh) == {"decode-0"}

        await until(has_gone)
        go.set()
        heard = await running  # what ran there goes on
        assert heard.is_right() and not heard.of("continued")
    await late.kill()


async def test_what_a_target_stands_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        asked.append((host, port))
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", port)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.2", port)),
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fd00::1", port, 0, 0)),
        ]

    loop = asyncio.get_running_loop()
    assert await instances("ipv4:10.0.0.1:1, 10.0.0.2:2") == {"10.0.0.1:1", "10.0.0.2:2"}
    assert await instances("unix:/run/decode.sock") == {"unix:/run/decode.sock"}
    assert await instances("127.0.0.1:50082") == {"127.0.0.1:50082"}

    class Loop:
        def __getattr__(self, name: str) -> Any:
            return getaddrinfo if name == "getaddrinfo" else getattr(loop, name)

    monkeypatch.setattr(asyncio, "get_running_loop", Loop)
    for target in ("inference-decode:50083", "dns:inference-decode:50083", "dns:///inference-decode:50083"):
        assert await instances(target) == {"10.0.0.1:50083", "10.0.0.2:50083", "[fd00::1]:50083"}
    assert set(asked) == {("inference-decode", 50083)}


async def test_a_decode_worker_that_starts_again_is_waited_for(site: Sites) -> None:
    """Whoever asks in the moment when nobody is there, or nobody was heard of yet, is no worse off than whoever asks a second later."""
    async with site(patience_ms=10_000) as mesh:
        await mesh.ready()
        await mesh.decodes[0].kill()
        asking = asyncio.ensure_future(mesh.generate())

        async def is_away() -> bool:
            return mesh.service.state()["missing"].get("decode workers") == "NO_DECODE_WORKER"

        await until(is_away)
        assert mesh.service.state()["state"] == "not-ready"
        assert not asking.done()
        await mesh.decodes[0].restart()
        assert (await asking).is_right()
        await mesh.ready()


async def test_an_answer_waits_for_the_worker_that_lost_it(site: Sites) -> None:
    async with site(patience_ms=10_000) as mesh:
        decode, died = mesh.decodes[0], asyncio.Event()

        async def die(start: int) -> None:
            if start >= 9:
                decode.between = None
                died.set()
                await asyncio.Event().wait()

        decode.between = die
        asking = asyncio.ensure_future(mesh.generate())
        await died.wait()
        await decode.kill()
        await decode.restart()
        heard = await asking
        assert heard.is_right()
        assert len(heard.of("continued")) == 1


async def test_a_prefill_worker_is_waited_for_when_there_is_no_other_way(site: Sites) -> None:
    async with site(patience_ms=10_000) as mesh:
        await mesh.ready()
        await mesh.prefills[0].kill()
        asking = asyncio.ensure_future(mesh.generate(mesh.ask("长" * 110)))  # too long to be read by the decode worker

        async def is_away() -> bool:
            return mesh.service.state()["missing"].get("prefill workers") == "NO_PREFILL_WORKER"

        await until(is_away)
        assert mesh.service.state()["state"] == "ready-degraded"
        assert not asking.done()
        await mesh.prefills[0].restart()
        heard = await asking
        assert heard.is_right(prompt="长" * 110)
        assert heard.how.prefill_worker == "prefill-0"
        assert list(heard.how.degradations) == []


async def test_a_router_that_has_just_started_is_ready_when_it_has_heard_of_both(site: Sites) -> None:
    """Else the first prompts would be read by decode workers, marked as degraded."""
    ledger = Ledger()
    late = PrefillNode("prefill-0", ledger)
    await late.start()
    await late.kill()
    async with site(prefills=[late], ledger=ledger, up=False) as mesh:

        async def waits() -> bool:
            return mesh.service.state()["missing"].get("decode workers") == "NO_PREFILL_WORKER"

        await until(waits)
        await late.start()
        await mesh.ready()
        assert (await mesh.generate()).how.disaggregated
