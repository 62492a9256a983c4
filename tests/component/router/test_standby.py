"""A model that can't answer, and its equivalent that does: over real sockets, before the first byte and never after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from finmesh.audit.v1.audit_record_pb2 import AuditRecord
from finmesh.inference.v1 import worker_pb2
from finmesh.router.v1 import router_service_pb2 as pb
from meshkit.errors import FailedPrecondition, InvalidArgument, Overloaded, Unavailable
from router.domain.generation import Finish

from tests.stack import PrivateRedis

from .conftest import PROMPT, Heard, Site, Sites, scenario, until
from .inference import DecodeNode, Ledger, PrefillNode, answer, digest_of, forever
from .neighbours import CharacterTexts, served
from .test_evidence import GatedLog, Watched, ended, watched  # noqa: F401 (a fixture)
from .test_failures import dying, once, raising

STAFF = "staff-assistance"
ENTRY = """
      - {{for: "{first}", model: "{model}", highest_grade: {grade}, purposes: ["staff-assistance", "客服"], when_full: {when_full}}}"""
PREFIX = "<另一个模型>"
OTHER_PROMPT = PREFIX + PROMPT


def entry(model: str = "other", first: str = "tiny", grade: int = 3, when_full: str = "false") -> str:
    return ENTRY.format(first=first, model=model, grade=grade, when_full=when_full)


def listing(*entries: str, **other: Any) -> str:
    models = '["tiny", "other", "third"]'
    return scenario(**other).replace('["tiny"]', models) + "    standby:" + "".join(entries or (entry(),)) + "\n"


def pair(model: str, ledger: Ledger, **decode: Any) -> tuple[PrefillNode, DecodeNode]:
    return PrefillNode(f"prefill-{model}", ledger, model=model), DecodeNode(f"decode-{model}", ledger, model=model, **decode)


@asynccontextmanager
async def models(
    site: Sites, *names: str, scenarios: str | None = None, lengths: dict[str, int] | None = None, **other: Any
) -> AsyncIterator[Any]:
    """A site with a prefill and a decode worker of each model."""
    ledger = Ledger()
    prefills, decodes = zip(*(pair(name, ledger) for name in names or ("tiny", "other")), strict=True)
    known = [served(name, (lengths or {}).get(name, 256), tokenizer=name) for name in ("tiny", "other", "third")]
    texts = CharacterTexts(*known, prefixes={"other": PREFIX})
    made = site(prefills=list(prefills), decodes=list(decodes), ledger=ledger, texts=texts, scenarios=scenarios or listing(), **other)
    async with made as mesh:
        yield mesh


async def dead(mesh: Site, model: str = "tiny") -> None:
    for node in mesh.nodes:
        if node.model == model:
            await node.kill()


async def substituted(mesh: Site, **asked: Any) -> Heard:
    """A right answer of the other model, after which nothing is held."""
    heard = await mesh.generate(mesh.ask(**asked), purpose=STAFF)
    (told,) = heard.of("substituted")
    assert (told.model, told.prompt_tokens) == ("other", len(OTHER_PROMPT))
    assert heard.is_right(prompt=OTHER_PROMPT)
    assert (heard.how.standby_for, heard.how.decode_worker) == ("tiny", "decode-other")
    assert "MODEL_SUBSTITUTED" in heard.how.degradations
    await mesh.nothing_is_held()
    return heard


async def test_another_model_answers_for_one_that_is_dead(site: Sites) -> None:
    async with models(site) as mesh:
        await dead(mesh)
        heard = await substituted(mesh)
        assert [part.WhichOneof("part") for part in heard.parts[:2]] == ["admitted", "substituted"]
        (told,), admitted = heard.of("substituted"), heard.admitted
        assert (admitted.model, admitted.prompt_tokens, told.reason) == ("tiny", len(PROMPT), "NO_WORKER")
        assert told.generation_id and told.generation_id != admitted.generation_id
        (start,), (end,) = mesh.records.starts, mesh.records.ends
        assert (start.generation_id, end.generation_id) == (told.generation_id, told.generation_id)
        assert (start.model, start.model_digest, start.release) == ("other", digest_of("other"), told.release)
        assert (start.instead.model, start.instead.generation_id, start.instead.reason) == ("tiny", admitted.generation_id, "NO_WORKER")
        assert start.seed == admitted.seed
        assert end.usage.prompt_tokens == len(OTHER_PROMPT) and end.provenance.standby_for == "tiny"


async def test_a_model_that_lives_answers_itself(site: Sites) -> None:
    async with models(site) as mesh:
        heard = await mesh.generate(purpose=STAFF)
        assert heard.is_right() and not heard.of("substituted") and not heard.how.standby_for and not heard.how.degradations
        assert mesh.records.starts[0].instead is None


async def test_a_model_that_was_found_dead_is_passed_over_until_the_pause_is_over(site: Sites) -> None:
    async with models(site, breaker_ms=60_000) as mesh:
        await dead(mesh)
        await substituted(mesh)
        for node in mesh.nodes[::2]:
            await node.restart()
        await mesh.known()
        await substituted(mesh)
        assert mesh.decodes[0].reserved == [], "it was tried again at once"
        own = await mesh.generate(mesh.ask(forbids_standby=True), purpose=STAFF)
        assert own.is_right(), "a breaker turned away who has nobody else"
        assert not (await mesh.generate(purpose=STAFF)).of("substituted"), "it answers, and is passed over"


async def test_a_model_that_is_back_is_found_out(site: Sites) -> None:
    async with models(site, breaker_ms=100) as mesh:
        await dead(mesh)
        for _ in range(3):
            await substituted(mesh)
        for node in mesh.nodes[::2]:
            await node.restart()
        await mesh.known()

        async def is_back() -> bool:
            return not (await mesh.generate(purpose=STAFF)).of("substituted")

        await until(is_back)
        await mesh.nothing_is_held()


DEATHS: dict[str, Callable[[Any], Any]] = {
    "dies": dying,
    "hangs": lambda node: forever,
    "has a bug": lambda node: raising(RuntimeError("bug")),
    "answers nothing": lambda node: raising(Unavailable("no", reason="ENGINE_LOST")),
}


@pytest.mark.parametrize("how", DEATHS)
@pytest.mark.parametrize("leg", ["prefill", "decode"])
async def test_one_that_fails_at_work_is_followed_by_the_other(site: Sites, leg: str, how: str) -> None:
    scenarios = listing().replace("alone_tokens: 100", "alone_tokens: 1")
    async with models(site, scenarios=scenarios, commit_ms=400, prefill_ms=400, silence_ms=400) as mesh:
        node = (mesh.prefills if leg == "prefill" else mesh.decodes)[0]
        for _ in range(5):
            node.faults.append(DEATHS[how](node))
        await substituted(mesh)
        first, second = mesh.records.ends if len(mesh.records.ends) == 2 else (None, mesh.records.ends[0])
        assert len(mesh.records.starts) == len(mesh.records.ends)
        assert second.provenance.standby_for == "tiny" and second.error == ""
        if first is not None:
            assert (first.error, first.usage.prompt_tokens, first.usage.output_tokens) == ("NO_WORKER", 0, 0)
            assert [(each.reason, each.output_tokens) for each in first.finished] == [(Finish.ERROR, 0)]
            assert first.output_tokens == ((),)


async def test_the_leg_that_failed_is_held_back_alone(site: Sites) -> None:
    """Long prompts go to the standby, though a prefill worker came back; short ones can do without one, and stay."""
    scenarios = listing().replace("alone_tokens: 100", "alone_tokens: 10")
    async with models(site, scenarios=scenarios, breaker_ms=60_000) as mesh:
        await mesh.prefills[0].kill()
        await substituted(mesh)
        await mesh.prefills[0].restart()
        await mesh.known()
        await substituted(mesh)
        assert mesh.prefills[0].asked == []
        short = await mesh.generate(mesh.ask("短问题"), purpose=STAFF)
        assert short.is_right(prompt="短问题") and not short.of("substituted")
        assert not (await mesh.generate(purpose=STAFF)).of("substituted"), "the leg works, and is passed over"


async def test_all_isolated_is_as_dead(site: Sites) -> None:
    async with models(site, scenarios=listing(queue_ttl_s=600), breaker_ms=100) as mesh:
        mesh.decodes[0].load.state, mesh.decodes[0].load.reason = worker_pb2.WORKER_STATE_ISOLATED, "ENGINE_HUNG"
        await mesh.decodes[0].tell()

        async def is_passed_over() -> bool:
            heard = await mesh.generate(purpose=STAFF)
            return bool(heard.of("substituted")) and heard.is_right(prompt=OTHER_PROMPT)

        await until(is_passed_over)
        mesh.decodes[0].load.state = worker_pb2.WORKER_STATE_PROBATION
        await mesh.decodes[0].tell()

        async def is_back() -> bool:
            return not (await mesh.generate(purpose=STAFF)).of("substituted")

        await until(is_back)


async def test_never_after_the_first_byte(site: Sites) -> None:
    async with models(site) as mesh:
        mesh.decodes[0].between = once(10, dying(mesh.decodes[0]))
        heard = Heard()
        with pytest.raises(Unavailable) as caught:
            await mesh.generate(heard=heard, purpose=STAFF)
        assert caught.value.reason == "STREAM_BROKEN"
        assert heard.text() and not heard.of("substituted")
        assert mesh.decodes[1].asked == []
        await mesh.nothing_is_held()
        (end,) = mesh.records.ends
        assert end.error == "STREAM_BROKEN" and end.usage.output_tokens >= len(heard.text())


@pytest.mark.parametrize(
    ("asked", "purpose", "entries", "why"),
    [
        ({"grade": 3}, STAFF, [entry(grade=2)], "GRADE_TOO_HIGH"),
        ({}, "", [entry()], "PURPOSE_DENIED"),
        ({}, "fraud-prevention", [entry()], "PURPOSE_DENIED"),
        ({"text": "长" * 200}, STAFF, [entry()], "PROMPT_TOO_LONG"),
    ],
)
async def test_what_the_standby_may_not_or_can_t_see_is_the_first_error(
    site: Sites, asked: dict[str, Any], purpose: str, entries: list[str], why: str
) -> None:
    async with models(site, scenarios=listing(*entries), lengths={"other": 120}) as mesh:
        await dead(mesh)
        request, heard = mesh.ask(), Heard()
        request.MergeFrom(pb.GenerateRequest(**asked))
        with pytest.raises(Unavailable) as caught:
            await mesh.generate(request, heard=heard, purpose=purpose)
        assert (caught.value.reason, caught.value.metadata["standbys"]) == ("NO_WORKER", f"other={why}")
        assert not heard.of("substituted")
        assert mesh.decodes[1].reserved == [] and mesh.prefills[1].asked == [], "it saw something of it"
        assert mesh.records.starts == []
        await mesh.nothing_is_held()


async def test_a_caller_may_forbid_it(site: Sites) -> None:
    async with models(site) as mesh:
        await dead(mesh)
        with pytest.raises(Unavailable) as caught:
            await mesh.generate(mesh.ask(forbids_standby=True), purpose=STAFF)
        assert caught.value.reason == "NO_WORKER" and "standbys" not in caught.value.metadata
        assert mesh.decodes[1].reserved == []


async def test_tokens_of_another_tokenizer_are_not_passed_on(site: Sites) -> None:
    async with models(site) as mesh:
        await dead(mesh)
        request = pb.GenerateRequest(tenant="bank-a", grade=2, tokens=pb.TokenIds(ids=[65, 66, 67]))
        with pytest.raises(Unavailable) as caught:
            await mesh.generate(request, purpose=STAFF)
        assert caught.value.metadata["standbys"] == "other=TOKENIZER_DIFFERS"


async def test_the_next_when_the_first_standby_is_dead_too(site: Sites) -> None:
    async with models(site, "tiny", "third", scenarios=listing(entry("other"), entry("third"))) as mesh:
        await dead(mesh)
        heard = await mesh.generate(purpose=STAFF)
        assert [told.model for told in heard.of("substituted")] == ["other", "third"]
        assert heard.is_right() and heard.how.standby_for == "tiny" and heard.how.decode_worker == "decode-third"
        again = await mesh.generate(purpose=STAFF)
        assert [told.model for told in again.of("substituted")] == ["third"], "a dead standby is passed over as well"


async def test_all_dead_names_the_first_reason(site: Sites) -> None:
    async with models(site, scenarios=listing(entry(), entry("third"))) as mesh:
        await dead(mesh)
        await dead(mesh, "other")
        for _ in range(2):
            with pytest.raises(Unavailable) as caught:
                await mesh.generate(purpose=STAFF)
            assert caught.value.reason == "NO_WORKER"
            assert caught.value.metadata["standbys"] == "other=NO_WORKER, third=NO_WORKER"
        assert len(mesh.records.starts) == len(mesh.records.ends)
        await mesh.nothing_is_held()


async def test_two_that_stand_in_for_one_another_end(site: Sites) -> None:
    async with models(site, scenarios=listing(entry(), entry("tiny", first="other"))) as mesh:
        await dead(mesh)
        await substituted(mesh)
        await dead(mesh, "other")
        with pytest.raises(Unavailable) as caught:
            await mesh.generate(mesh.ask(model="other"), purpose=STAFF)
        assert caught.value.metadata["standbys"] == "tiny=NO_WORKER"


@pytest.mark.parametrize("when_full", ["true", "false"])
async def test_a_busy_model_is_followed_only_where_that_is_said(site: Sites, when_full: str) -> None:
    async with models(site, scenarios=listing(entry(when_full=when_full), queue_ttl_s=0.2)) as mesh:
        mesh.decodes[0].rows = 0
        if when_full == "true":
            assert (await substituted(mesh)).of("substituted")[0].reason == "QUEUE_EXPIRED"
        else:
            with pytest.raises(Overloaded) as caught:
                await mesh.generate(purpose=STAFF)
            assert caught.value.reason == "QUEUE_EXPIRED"


async def test_a_wrong_request_is_not_tried_elsewhere(site: Sites) -> None:
    async with models(site) as mesh:
        request = mesh.ask()
        request.grammar.json_schema = '{"const": "forbid"}'
        with pytest.raises(InvalidArgument):
            await mesh.generate(request, purpose=STAFF)
        assert mesh.decodes[1].reserved == []


async def test_layouts_that_differ_everywhere_are_followed_by_the_other(site: Sites) -> None:
    async with models(site) as mesh:
        for _ in range(5):
            mesh.decodes[0].faults.append(raising(FailedPrecondition("differs", reason="LAYOUT_MISMATCH")))
        scenarios = mesh.scenarios.read_text().replace("alone_tokens: 100", "alone_tokens: 1")
        mesh.scenarios.write_text(scenarios)

        async def is_followed() -> bool:
            heard = await mesh.generate(purpose=STAFF)
            return bool(heard.of("substituted"))

        await until(is_followed)
        await mesh.nothing_is_held()


async def test_a_standby_that_was_withdrawn_meanwhile(site: Sites) -> None:
    async with models(site, patience_ms=4_000) as mesh:
        await dead(mesh)
        call = asyncio.create_task(mesh.generate(purpose=STAFF))
        mesh.scenarios.write_text('version: "2"\nscenarios:' + scenario().replace('["tiny"]', '["tiny", "other"]'))
        with pytest.raises(Unavailable) as caught:
            await call
        assert caught.value.metadata["standbys"] == "other=STANDBY_WITHDRAWN"


@pytest.mark.parametrize("where", ["admitted", "substituted", "delta"])
async def test_a_caller_that_leaves_at_any_part(site: Sites, where: str) -> None:
    async with models(site) as mesh:
        await dead(mesh)
        async with aclosing(mesh.stub.Generate(mesh.ask(), metadata=(("x-finmesh-purpose", STAFF),))) as responses:
            async for part in responses:
                if part.HasField(where):
                    break
        await mesh.nothing_is_held()

        async def is_closed() -> bool:
            return len(mesh.records.ends) == len(mesh.records.starts)

        await until(is_closed)
        assert {end.generation_id for end in mesh.records.ends} == {start.generation_id for start in mesh.records.starts}
        assert await substituted(mesh)


async def test_a_caller_that_leaves_while_the_standby_hangs(site: Sites) -> None:
    async with models(site) as mesh:
        await dead(mesh)
        mesh.decodes[1].faults.append(forever)
        call = asyncio.create_task(mesh.generate(purpose=STAFF))

        async def hangs() -> bool:
            return bool(mesh.decodes[1].asked)

        await until(hangs)
        call.cancel()
        await mesh.recorded()
        (end,) = mesh.records.ends
        assert end.error == "CANCELLED" and end.usage.prompt_tokens == len(OTHER_PROMPT) and end.usage.output_tokens == 0
        await mesh.nothing_is_held()


async def test_the_records_of_both_generations(watched: Watched, private_redis: PrivateRedis) -> None:  # noqa: F811
    """The real codec on a real Redis: the model that failed at work and its standby, a start and an end each."""
    log, ledger = GatedLog(), Ledger()
    nodes = [pair(name, ledger) for name in ("tiny", "other")]
    texts = CharacterTexts(*(served(name, tokenizer=name) for name in ("tiny", "other")), prefixes={"other": PREFIX})
    scenarios = listing().replace(', "third"', "").replace("alone_tokens: 100", "alone_tokens: 1")
    other: dict[str, Any] = {"prefills": [p for p, _ in nodes], "decodes": [d for _, d in nodes], "ledger": ledger}
    async with watched(log, texts=texts, scenarios=scenarios, **other) as (mesh, _):
        for _ in range(5):
            mesh.prefills[0].faults.append(raising(Unavailable("no", reason="ENGINE_LOST")))
        heard = await mesh.generate(purpose=STAFF)
        await ended(log, 4)
    told = heard.of("substituted")[0]
    by_id: dict[str, list[Any]] = {}
    for content in log.records:
        record = AuditRecord.FromString(content)
        by_id.setdefault(record.generation.generation_id, []).append(record)
    assert {key: [each.generation.WhichOneof("event") for each in records] for key, records in by_id.items()} == {
        heard.admitted.generation_id: ["started", "ended"],
        told.generation_id: ["started", "ended"],
    }
    (first, gave_up), (second, over) = by_id[heard.admitted.generation_id], by_id[told.generation_id]
    assert (first.generation.started.model, first.generation.started.standby_for) == ("tiny", "")
    assert (gave_up.generation.ended.error, gave_up.generation.ended.usage.prompt_tokens) == ("NO_WORKER", 0)
    begun = second.generation.started
    assert (begun.model, begun.standby_for, begun.standby_reason) == ("other", "tiny", "NO_WORKER")
    assert begun.first_generation_id == heard.admitted.generation_id
    assert second.model_sha256 == over.model_sha256 == digest_of("other")
    assert list(over.degradations) == ["MODEL_SUBSTITUTED"]
    said = answer([ord(each) for each in OTHER_PROMPT], heard.admitted.seed, 0)
    assert [each.output_tokens for each in over.generation.ended.answers] == [len(said)]
    assert (heard.ended.started_record_id, heard.ended.ended_record_id) == (second.audit_record_id, over.audit_record_id)
