"""Generation when nothing goes wrong: what is told in which order, by whom, and that nothing is left over."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from finmesh.inference.v1 import generation_pb2, worker_pb2
from finmesh.router.v1 import router_service_pb2 as pb
from meshkit.errors import InvalidArgument, MeshError, NotFound, Overloaded, PermissionDenied, Unavailable
from router.domain.generation import Finish

from .conftest import PROMPT, Heard, Sites, scenario, until
from .inference import BLOCK_TOKENS, END, DecodeNode, Ledger, PrefillNode, answer

STOP, LENGTH = generation_pb2.FINISH_REASON_STOP, generation_pb2.FINISH_REASON_LENGTH


async def test_a_prompt_is_read_by_one_worker_and_answered_by_another(site: Sites) -> None:
    async with site() as mesh:
        heard = await mesh.generate()
        await mesh.nothing_is_held()
    kinds = [part.WhichOneof("part") for part in heard.parts]
    assert (kinds[0], kinds[-1], set(kinds[1:-1])) == ("admitted", "ended", {"delta", "finished"})
    assert heard.is_right()
    assert heard.reasons() == {0: STOP}
    assert (heard.admitted.prompt_tokens, heard.admitted.max_output_tokens, heard.admitted.model) == (len(PROMPT), 64, "tiny")
    assert (heard.how.prefill_worker, heard.how.decode_worker, heard.how.disaggregated) == ("prefill-0", "decode-0", True)
    assert (heard.how.reason, heard.how.failovers, list(heard.how.degradations)) == ("ALWAYS", 0, [])
    usage = heard.ended.usage
    assert (usage.prompt_tokens, usage.cached_tokens, usage.accelerator, usage.busy_ms) == (len(PROMPT), 2, "cpu/prefill, cpu/decode", 18)
    assert usage.output_tokens == len(answer([ord(each) for each in PROMPT], heard.admitted.seed, 0))


async def test_the_first_token_is_told_once(site: Sites) -> None:
    async with site() as mesh:
        heard = await mesh.generate(mesh.ask(return_token_ids=True))
        (asked,) = mesh.decodes[0].asked
    ids = [token for delta in heard.of("delta") for token in delta.token_ids]
    assert ids == answer([ord(each) for each in PROMPT], heard.admitted.seed, 0)
    assert ids[-1] == END
    so_far = [delta.output_tokens for delta in heard.of("delta")]
    assert so_far == sorted(so_far) and so_far[-1] == len(ids), "a stream that is broken off says what it used"
    assert asked.ticket and not asked.emitted


async def test_the_records_stand_before_the_first_byte_and_before_the_last_part(site: Sites) -> None:
    async with site() as mesh:
        async with aclosing(mesh.stub.Generate(mesh.ask())) as responses:
            told = [f"{part.WhichOneof('part')} {len(mesh.records.order)}" async for part in responses]
        (start,), (end,) = mesh.records.starts, mesh.records.ends
    assert next(each for each in told if each.startswith("delta")) == "delta 1"
    assert told[-1] == "ended 2"
    assert (start.model, start.prompt_tokens, start.reason) == ("tiny", tuple(ord(each) for each in PROMPT), "ALWAYS")
    assert (start.decode.worker, start.decode.reason) == ("decode-0", "ONLY")
    assert start.prefill is not None and start.prefill.worker == "prefill-0"
    assert start.decode.scores and start.tokenizer_digest
    assert (end.error, end.provenance.integrity, end.finished[0].reason) == ("", "CHECKSUM", Finish.STOP)
    assert list(end.output_tokens[0]) == answer([ord(each) for each in PROMPT], start.seed, 0)


async def test_without_a_record_nothing_is_said(site: Sites) -> None:
    async with site() as mesh:
        mesh.records.is_down = True
        heard = Heard()
        with pytest.raises(Unavailable) as failed:
            await mesh.generate(heard=heard)
        await mesh.nothing_is_held()
    assert failed.value.reason == "EVENT_LOG_DOWN"
    assert [part.WhichOneof("part") for part in heard.parts] == ["admitted"]
    assert mesh.records.ends == []


async def test_a_record_that_somebody_else_closed_ends_the_stream(site: Sites) -> None:
    async with site() as mesh:
        mesh.records.is_lost = True
        with pytest.raises(Unavailable) as failed:
            await mesh.generate()
        await mesh.nothing_is_held()
    assert failed.value.reason == "EVIDENCE_LOST"
    assert mesh.records.ends == []


async def test_the_count_so_far_is_written_down_every_32_tokens(site: Sites) -> None:
    async with site() as mesh:
        mesh.decodes[0].together = 1
        await mesh.generate()
        assert mesh.records.checkpoints == [32]


async def test_a_scenario_may_have_the_decode_worker_read_the_prompt(site: Sites) -> None:
    async with site(scenarios=scenario(mode="never")) as mesh:
        heard = await mesh.generate()
        await mesh.nothing_is_held()
        assert mesh.prefills[0].asked == []
        assert mesh.records.starts[0].prefill is None
    assert heard.is_right()
    assert (heard.how.reason, heard.how.disaggregated, heard.how.prefill_worker) == ("NEVER", False, "")


async def test_automatic_hand_over_follows_what_is_cached_and_who_runs(site: Sites) -> None:
    async with site(scenarios=scenario(mode="auto")) as mesh:
        assert (await mesh.generate()).how.reason == "TRANSFER_DEARER"  # nobody is held up
        mesh.decodes[0].load.rows_used = 4
        await mesh.decodes[0].tell()

        async def reason() -> bool:
            return (await mesh.generate()).how.reason == "INTERFERENCE"

        await until(reason)
        mesh.decodes[0].cached_blocks = 5
        assert (await mesh.generate()).how.reason == "BELOW_THRESHOLD"


async def test_only_the_tail_is_handed_over_that_the_decode_worker_has_not(site: Sites) -> None:
    async with site() as mesh:
        mesh.decodes[0].cached_blocks = 2
        assert (await mesh.generate()).is_right()
        assert mesh.prefills[0].asked[0].first_block == 2


async def test_a_cached_prefix_draws_its_prompts(site: Sites) -> None:
    async with site(decodes=3, scenarios=scenario(mode="never")) as mesh:
        await mesh.generate()
        (asked,) = [request for node in mesh.decodes for request in node.reserved]
        assert mesh.records.starts[0].decode.reason == "LOAD"
        holder = mesh.decodes[2]
        holder.events.append(worker_pb2.KvEvent(seq=1, stored=asked.block_ids))
        await holder.tell()

        async def is_drawn() -> bool:
            await mesh.generate()
            return mesh.records.starts[-1].decode.reason == "PREFIX"

        await until(is_drawn)
        choice = mesh.records.starts[-1].decode
        assert (choice.worker, choice.cached_blocks) == ("decode-2", len(PROMPT) // BLOCK_TOKENS)


async def test_several_answers_to_one_prompt(site: Sites) -> None:
    async with site() as mesh:
        request = mesh.ask(seed_set=True)
        request.sampling.choices, request.sampling.seed = 4, 77
        heard = await mesh.generate(request)
        await mesh.nothing_is_held()
    assert heard.admitted.choices == 4
    assert heard.admitted.seed == 77
    assert all(heard.is_right(choice) for choice in range(4))
    assert heard.reasons() == dict.fromkeys(range(4), STOP)
    assert heard.ended.usage.output_tokens == sum(each.output_tokens for each in heard.of("finished"))


async def test_a_seed_is_drawn_and_told_when_none_is_given(site: Sites) -> None:
    async with site() as mesh:
        seeds = {(await mesh.generate()).admitted.seed for _ in range(3)}
        assert len(seeds) == 3
        assert {start.seed for start in mesh.records.starts} == seeds
        assert {asked.sampling.seed for asked in mesh.decodes[0].asked} == seeds


async def test_log_probabilities_and_ids_come_when_asked_for(site: Sites) -> None:
    async with site() as mesh:
        request = mesh.ask(return_token_ids=True)
        request.sampling.logprobs = True
        heard = await mesh.generate(request)
        plain = await mesh.generate()
    assert [token.token_id for delta in heard.of("delta") for token in delta.logprobs] == [
        token for delta in heard.of("delta") for token in delta.token_ids
    ]
    assert heard.of("delta")[1].logprobs[0].logprob == -0.5
    assert "".join(token.text.decode() for delta in heard.of("delta") for token in delta.logprobs) == heard.text() + chr(END)
    assert not any(delta.token_ids or delta.logprobs for delta in plain.of("delta"))


async def test_a_stop_string_ends_an_answer_and_the_work(site: Sites) -> None:
    async with site() as mesh:
        heard = await mesh.generate(mesh.ask(stop=[": 批"], return_token_ids=True))
        await mesh.nothing_is_held()
    whole = "".join(map(chr, answer([ord(each) for each in PROMPT], heard.admitted.seed, 0)))
    assert heard.text() == whole.partition(": 批")[0]
    assert heard.reasons() == {0: STOP}
    assert heard.ended.usage.accelerator == "cpu/prefill, cpu/onnxruntime"  # the second leg was ended before it could say what it used


@pytest.mark.parametrize("stop", ["第", "第1"])
async def test_a_stop_string_at_the_first_token(site: Sites, stop: str) -> None:
    async with site() as mesh:
        request = mesh.ask(stop=[stop])
        request.sampling.choices = 2
        heard = await mesh.generate(request)
        await mesh.nothing_is_held()
        if stop == "第":
            assert mesh.decodes[0].asked == []  # both ended with the first token
            assert heard.text() == ""
        else:
            assert heard.is_right(0)
            assert heard.text(1) == ""
    assert heard.reasons() == {0: STOP, 1: STOP}


async def test_one_token_is_the_business_of_the_prefill_worker_alone(site: Sites) -> None:
    async with site() as mesh:
        heard = await mesh.generate(mesh.ask(max_output_tokens=1))
        await mesh.nothing_is_held()
        assert mesh.decodes[0].asked == []
    assert (heard.text(), heard.reasons()) == ("第", {0: LENGTH})
    assert (heard.how.disaggregated, heard.how.prefill_worker, heard.how.decode_worker) == (False, "prefill-0", "")
    assert heard.ended.usage.output_tokens == 1


async def test_length_ends_an_answer(site: Sites) -> None:
    async with site() as mesh:
        heard = await mesh.generate(mesh.ask(max_output_tokens=5))
    assert (len(heard.text()), heard.reasons()) == (5, {0: LENGTH})


@pytest.mark.parametrize(
    ("wrong", "kind", "reason"),
    [
        ({"model": "gpt"}, NotFound, "MODEL_UNKNOWN"),
        ({"scenario": "无"}, NotFound, "SCENARIO_UNKNOWN"),
        ({"prompt": "很" * 256}, InvalidArgument, "PROMPT_TOO_LONG"),
        ({"presence_penalty": 0.5}, InvalidArgument, "PENALTIES_UNSUPPORTED"),
        ({"logit_bias": {5: 1.0}}, InvalidArgument, "LOGIT_BIAS_UNSUPPORTED"),
        ({"max_output_tokens": 129}, InvalidArgument, "MAX_OUTPUT_TOKENS"),
        ({"sampling": generation_pb2.Sampling(choices=5)}, InvalidArgument, "CHOICES_TOO_MANY"),
        ({"sampling": generation_pb2.Sampling(temperature=9)}, InvalidArgument, "SAMPLING_INVALID"),
        ({"grammar": generation_pb2.Grammar(json_schema="{")}, InvalidArgument, "SCHEMA_INVALID"),
    ],
)
async def test_what_is_wrong_is_said_before_any_work(site: Sites, wrong: dict[str, object], kind: type[MeshError], reason: str) -> None:
    async with site() as mesh:
        heard = Heard()
        with pytest.raises(kind) as refused:
            await mesh.generate(mesh.ask(**wrong), heard=heard)
        assert refused.value.reason == reason
        assert heard.parts == []
        assert mesh.ledger.log == []
        assert mesh.records.order == []


async def test_grades_tenants_and_empty_requests(site: Sites) -> None:
    async with site() as mesh:
        for request, kind, reason in [
            (pb.GenerateRequest(tenant="bank-a", text="x"), PermissionDenied, "GRADE_TOO_HIGH"),  # no grade is the highest
            (pb.GenerateRequest(tenant="bank-a", grade=4, text="x"), PermissionDenied, "GRADE_TOO_HIGH"),
            (pb.GenerateRequest(tenant="bank-a", grade=1), InvalidArgument, "PROMPT_EMPTY"),
            (pb.GenerateRequest(grade=1, text="x"), InvalidArgument, "TENANT_MISSING"),
        ]:
            with pytest.raises(kind) as refused:
                await mesh.generate(request)
            assert refused.value.reason == reason


async def test_the_word_of_the_gateway_binds(site: Sites) -> None:
    async with site() as mesh:
        for header, value, reason in [
            ("x-finmesh-tenant", "bank-b", "TENANT_MISMATCH"),
            ("x-finmesh-scenario", "anti-fraud", "SCENARIO_MISMATCH"),
        ]:
            with pytest.raises(PermissionDenied) as refused:
                async with aclosing(mesh.stub.Generate(mesh.ask(), metadata=((header, value),))) as responses:
                    async for _ in responses:
                        pass
            assert refused.value.reason == reason


async def test_what_the_engine_says_of_a_grammar_is_passed_on(site: Sites) -> None:
    async with site(decodes=2) as mesh:
        with pytest.raises(InvalidArgument) as refused:
            await mesh.generate(mesh.ask(grammar=generation_pb2.Grammar(json_schema='{"forbid": true}')))
        assert refused.value.reason == "GRAMMAR_UNSATISFIABLE"
        assert sum(len(node.asked) for node in mesh.decodes) == 1  # it is not tried again
        await mesh.nothing_is_held()
        assert mesh.records.ends[0].error == "GRAMMAR_UNSATISFIABLE"


async def test_models_and_workers_are_listed(site: Sites) -> None:
    async with site() as mesh:
        (model,) = (await mesh.stub.ListModels(pb.ListModelsRequest(tenant="bank-a"))).models
        assert (model.name, model.available, model.max_len_tokens) == ("tiny", True, 256)
        backends = (await mesh.stub.ListBackends(pb.ListBackendsRequest(tenant="bank-a"))).backends
        assert [each.description.worker_id for each in backends] == ["decode-0", "prefill-0"]
        assert backends[0].description == mesh.decodes[0].description()
        assert backends[0].load.state == worker_pb2.WORKER_STATE_READY
        assert backends[0].service == mesh.decodes[0].address
        await mesh.decodes[0].kill()

        async def is_away() -> bool:
            return not (await mesh.stub.ListModels(pb.ListModelsRequest(tenant="bank-a"))).models[0].available

        await until(is_away)


async def test_more_than_there_is_room_for_waits_its_turn(site: Sites) -> None:
    async with site() as mesh:
        mesh.decodes[0].rows = 2
        await mesh.decodes[0].kill()
        await mesh.decodes[0].restart()
        await mesh.known()
        heard = await asyncio.gather(*(mesh.generate() for _ in range(12)))
        assert all(each.is_right() for each in heard)
        assert len(mesh.decodes[0].asked) == 12
        await mesh.nothing_is_held()


async def test_a_wait_that_is_too_long_is_a_lack_of_capacity(site: Sites) -> None:
    async with site(scenarios=scenario(queue_ttl_s=0.3)) as mesh:
        mesh.decodes[0].load.rows_used = 8
        await mesh.decodes[0].tell()
        for node in (mesh.decodes[0],):
            node.reserve_faults.extend([refuse] * 50)
        with pytest.raises(Overloaded) as refused:
            await mesh.generate()
        assert refused.value.reason == "QUEUE_EXPIRED"
        assert refused.value.retry_after_s
        assert mesh.records.order == []


async def refuse() -> None:
    raise Overloaded("full", reason="OVERLOADED")


async def test_nobody_is_there(site: Sites) -> None:
    async with site(scenarios=scenario(queue_ttl_s=0.3)) as mesh:
        await mesh.decodes[0].kill()
        with pytest.raises(Unavailable) as failed:
            await mesh.generate()
        assert failed.value.reason == "NO_WORKER"


async def test_a_full_line_refuses_at_once(site: Sites) -> None:
    async with site(queue_limit=2) as mesh:
        mesh.decodes[0].reserve_faults.extend([refuse] * 1000)
        waiting = [asyncio.ensure_future(mesh.generate()) for _ in range(8)]
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            assert isinstance(each.exception(), Overloaded)
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await mesh.nothing_is_held()


async def test_a_worker_of_a_lower_grade_gets_no_data_above_it(site: Sites) -> None:
    ledger = Ledger()
    low, high = PrefillNode("prefill-low", ledger, grade=1), PrefillNode("prefill-high", ledger, grade=3)
    async with site(prefills=[low, high], ledger=ledger) as mesh:
        for _ in range(4):
            assert (await mesh.generate()).how.prefill_worker == "prefill-high"


async def test_a_more_urgent_scenario_goes_first(site: Sites) -> None:
    table = scenario() + scenario("urgent").replace("priority: 5", "priority: 9")
    ledger = Ledger()
    async with site(decodes=[DecodeNode("decode-0", ledger, rows=1)], ledger=ledger, scenarios=table) as mesh:
        stuck, go = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            stuck.set()
            await go.wait()

        mesh.decodes[0].faults.append(hold)
        first = asyncio.ensure_future(mesh.generate())
        await stuck.wait()
        heard = {name: Heard() for name in ("assistant", "urgent")}
        waiting = [asyncio.ensure_future(mesh.generate(mesh.ask(scenario=name), heard=each)) for name, each in heard.items()]

        async def are_admitted() -> bool:  # told right before they get in line
            return all(each.parts for each in heard.values())

        await until(are_admitted)
        await mesh.known()
        ordinary, urgent = waiting
        assert not ordinary.done() and not urgent.done()
        go.set()
        await asyncio.gather(first, *waiting)
        order = [start.request.scenario for start in mesh.records.starts]
    assert order[0] == "assistant"
    assert order[1:] == ["urgent", "assistant"]


async def test_a_changed_table_of_scenarios_is_in_force_and_a_broken_one_is_not(site: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.main._SCENARIOS_S", 0.02)
    async with site() as mesh:
        mesh.scenarios.write_text('version: "2"\nscenarios:' + scenario(mode="never"))

        async def is_in_force() -> bool:
            return (await mesh.generate()).how.reason == "NEVER"

        await until(is_in_force)
        mesh.scenarios.write_text('version: "3"\nscenarios: {}')

        async def is_told() -> bool:
            return mesh.service.state()["missing"] == {"scenarios": "SCENARIOS_INVALID"}

        await until(is_told)
        assert mesh.service.state()["state"] == "ready-degraded"
        assert (await mesh.generate()).how.reason == "NEVER"


async def test_a_prompt_is_as_long_as_the_rows_of_those_who_answer(site: Sites) -> None:
    ledger = Ledger()
    async with site(decodes=[DecodeNode("decode-0", ledger, max_len=64)], ledger=ledger) as mesh:
        heard = await mesh.generate(mesh.ask("x" * 60))
        assert (heard.admitted.max_output_tokens, heard.reasons()) == (4, {0: LENGTH})
        with pytest.raises(InvalidArgument) as refused:
            await mesh.generate(mesh.ask("x" * 64))
        assert refused.value.reason == "PROMPT_TOO_LONG"


async def test_a_prefill_worker_must_begin_every_answer(site: Sites) -> None:
    async with site() as mesh:
        mesh.prefills[0].forgets = 1
        request = mesh.ask()
        request.sampling.choices = 2
        heard = await mesh.generate(request)
        await mesh.nothing_is_held()
    assert heard.is_right(0) and heard.is_right(1)
    assert list(heard.how.degradations) == ["PREFILL_DOWN"]  # there was no other
