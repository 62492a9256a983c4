"""LLM serving as its callers see it: gateway, router, prefill, hand-off, decode, audit and traces, all of them real."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from drills.checks.traces import Zipkin, service_of
from engine.llm import manifest as manifests
from engine.llm.model_files import TOKENIZER
from finmesh.inference.v1.generation_pb2 import Grammar, Sampling
from finmesh_cli import proofs
from localmesh.ports import LOOPBACK
from meshkit.errors import NotFound, QuotaExceeded
from meshkit.telemetry.context import attached, new_root
from tokenizers import Tokenizer
from translog.note import Verifier

from tests.e2e.llm_mesh import ALONE, NAME, QUOTA_OUTPUT_TOKENS, TENANT, Answer, LlmMesh, asked, said

pytestmark = pytest.mark.stack

TALK = (("system", "你是银行的助手，只回答与银行有关的问题。"), ("user", "信用卡在境外被拒怎么办？😀"))
SCHEMA = {
    "type": "object",
    "properties": {"结论": {"enum": ["批准", "拒绝", "人工复核"]}, "原因": {"enum": ["额度不足", "疑似欺诈"]}},
    "required": ["结论", "原因"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module", autouse=True)
def _leaves_nothing(llm: LlmMesh) -> Iterator[None]:
    yield
    asyncio.run(llm.nothing_is_held())


def vocabulary(llm: LlmMesh) -> Tokenizer:
    return Tokenizer.from_file(str(llm.places.llm_model / TOKENIZER))


async def test_a_conversation_in_chinese(llm: LlmMesh) -> None:
    """Order of the parts, counts that agree, text that is the tokens' text."""
    first = await llm.answer(asked(conversation=said(*TALK), max_output_tokens=48))
    assert first.kinds[0] == "admitted" and first.kinds[-2:] == ["finished", "ended"]
    assert set(first.kinds[1:-2]) <= {"delta"}
    assert first.admitted.model == NAME and first.admitted.choices == 1 and first.admitted.max_output_tokens == 48
    usage, tokens = first.ended.usage, first.tokens[0]
    assert usage.prompt_tokens == first.admitted.prompt_tokens
    assert usage.output_tokens == len(tokens) == first.finished[0].output_tokens
    assert first.text == vocabulary(llm).decode(tokens, skip_special_tokens=True)
    assert first.ended.provenance.disaggregated and first.ended.provenance.reason == "ALWAYS"
    assert (first.ended.provenance.prefill_worker, first.ended.provenance.decode_worker) == ("triton-prefill", "triton-decode")
    more = (*TALK, ("assistant", first.text or "好的。"), ("user", "谢谢，再见！"))
    second = await llm.answer(asked(conversation=said(*more), max_output_tokens=8))
    assert second.admitted.prompt_tokens > first.admitted.prompt_tokens


@pytest.mark.parametrize("length", [2, 63, 64, 65, 130, 300])
async def test_handed_over_is_what_one_engine_says_alone(llm: LlmMesh, length: int) -> None:
    tokens = {"ids": [3 + (number * 7919) % 380 for number in range(length)]}
    over, alone = [
        await llm.answer(asked(tokens=tokens, scenario=scenario, max_output_tokens=64, ignore_end=True)) for scenario in ("", ALONE)
    ]
    assert over.ended.provenance.disaggregated and not alone.ended.provenance.disaggregated
    assert over.tokens == alone.tokens and len(over.tokens[0]) == 64
    assert over.texts == alone.texts


async def test_a_seed_repeats_and_another_does_not(llm: LlmMesh) -> None:
    def drawn(seed: int, scenario: str = "") -> Answer:
        hot = Sampling(temperature=1.5, top_p=0.95, top_k=100, seed=seed, choices=2)
        return llm.answer(asked("写一首诗", sampling=hot, seed_set=True, ignore_end=True, max_output_tokens=32, scenario=scenario))

    first, again, alone, other = await asyncio.gather(drawn(2**64 - 1), drawn(2**64 - 1), drawn(2**64 - 1, ALONE), drawn(8))
    assert first.tokens == again.tokens == alone.tokens != other.tokens
    assert first.admitted.seed == 2**64 - 1
    assert first.tokens[0] != first.tokens[1]


async def test_a_seed_that_is_drawn_can_be_named_again(llm: LlmMesh) -> None:
    hot = Sampling(temperature=1.0)
    drawn = await llm.answer(asked(sampling=hot))
    again = await llm.answer(asked(sampling=Sampling(temperature=1.0, seed=drawn.admitted.seed), seed_set=True))
    assert again.tokens == drawn.tokens


async def test_two_greedy_answers_are_the_same(llm: LlmMesh) -> None:
    one = await llm.answer(asked(ignore_end=True))
    two = await llm.answer(asked(sampling=Sampling(choices=2), ignore_end=True))
    assert two.tokens == {0: one.tokens[0], 1: one.tokens[0]}
    assert set(two.finished) == {0, 1} and two.kinds[-1] == "ended"
    assert two.ended.usage.output_tokens == 32


@pytest.mark.parametrize("scenario", ["", ALONE])
async def test_a_stop_string_ends_an_answer_and_is_no_part_of_it(llm: LlmMesh, scenario: str) -> None:
    whole = await llm.answer(asked(ignore_end=True, max_output_tokens=48, scenario=scenario))
    for cut in (0, 1, len(whole.text) // 2):
        stop = whole.text[cut : cut + 3]
        ended = await llm.answer(asked(ignore_end=True, max_output_tokens=48, scenario=scenario, stop=["从未出现", stop]))
        assert ended.text == whole.text[: whole.text.index(stop)]
        assert ended.reason == "STOP"
        assert ended.finished[0].output_tokens <= 48 and ended.ended.usage.output_tokens >= ended.finished[0].output_tokens


@pytest.mark.parametrize("scenario", ["", ALONE])
async def test_a_schema_with_chinese_names(llm: LlmMesh, scenario: str) -> None:
    grammar = Grammar(json_schema=json.dumps(SCHEMA, ensure_ascii=False))
    for temperature in (0.0, 1.5):
        how = Sampling(temperature=temperature, seed=5, choices=2)
        answer = await llm.answer(asked(grammar=grammar, max_output_tokens=128, scenario=scenario, sampling=how, seed_set=True))
        for text in answer.texts.values():
            found = json.loads(text)
            assert found["结论"] in SCHEMA["properties"]["结论"]["enum"] and found["原因"] in SCHEMA["properties"]["原因"]["enum"]
        assert answer.reason == "STOP"


async def test_logprobs(llm: LlmMesh) -> None:
    over, alone = [
        await llm.answer(asked(sampling=Sampling(logprobs=True, top_logprobs=5), scenario=scenario, ignore_end=True))
        for scenario in ("", ALONE)
    ]
    said_of = over.logprobs[0]
    assert [(token.index, token.token_id) for token in said_of] == list(enumerate(over.tokens[0]))
    for token in said_of:
        assert token.logprob <= 0 and len(token.top) == 5
        assert token.top[0].token_id == token.token_id and token.top[0].logprob == token.logprob
        assert [each.logprob for each in token.top] == sorted((each.logprob for each in token.top), reverse=True)
    assert said_of == alone.logprobs[0]


async def test_the_trace_has_every_leg_of_the_hand_off(llm: LlmMesh) -> None:
    context = new_root(sampled=True)
    with attached(context):
        await llm.answer(asked())
    zipkin, spans, wanted = Zipkin(f"http://{LOOPBACK}:{llm.ports.zipkin}"), [], {
        ("inference-prefill", "prefill"), ("inference-prefill", "pack"), ("inference-prefill", "publish"),
        ("inference-decode", "pull"), ("inference-decode", "verify"), ("inference-decode", "commit"),
    }  # fmt: skip
    async with asyncio.timeout(60.0):
        while not ({(service_of(span), span["name"]) for span in spans} >= wanted and {"gateway", "router"} <= set(map(service_of, spans))):
            await asyncio.sleep(0.1)
            spans = await zipkin.trace(f"{context.trace_id:032x}")
    known = {span["id"] for span in spans}
    outside = {service_of(span) for span in spans if span.get("parentId") not in known}
    assert outside == {"gateway"}  # its parent is the test's, which records nothing


async def test_evidence_stands_in_the_log_and_holds_no_word(llm: LlmMesh) -> None:
    """Start and end, each proven; of the prompt and the answer neither text nor tokens, in the log's file and in what was sent there."""
    secret = "绝密账户六二二八八零"
    stop = "暗号停止词"
    grammar = Grammar(json_schema=json.dumps({"enum": ["机密枚举甲", "机密枚举乙"]}, ensure_ascii=False))
    free = await llm.answer(asked(f"{secret} Zq7-mark", max_output_tokens=48, ignore_end=True, stop=[stop]))
    bound = await llm.answer(asked(f"{secret} Zq7-mark", max_output_tokens=64, grammar=grammar))
    prompt = vocabulary(llm).encode(f"{secret} Zq7-mark", add_special_tokens=False).ids
    for answer in (free, bound):
        ids = answer.ended.started_record_id, answer.ended.ended_record_id
        started, ended = [await proven(llm, each) for each in ids]
        assert started.generation.started.prompt_tokens == answer.admitted.prompt_tokens
        assert [each.output_tokens for each in ended.generation.ended.answers] == [answer.finished[0].output_tokens]
        assert ended.generation.ended.usage == answer.ended.usage
        assert started.generation.generation_id == ended.generation.generation_id == answer.admitted.generation_id
        assert started.generation.started.prompt_commitment and ended.generation.ended.answers[0].output_commitment
    words = [secret, "Zq7-mark", stop, "机密枚举甲", bound.text, free.text[:12]]
    told = [word.encode() for word in words] + [json.dumps(word)[1:-1].encode() for word in words]
    told += [tokens_as(width, each) for width in (1, 2, 4, 8) for each in (prompt[:8], free.tokens[0][:8])] + [varints(free.tokens[0][:8])]
    files = [path.read_bytes() for path in (llm.places.var / "audit").rglob("*") if path.is_file()]
    assert free.ended.ended_record_id.encode() in b"".join(files)
    sent = await everything_in(llm, "finmesh.audit.v1.AuditBatch")
    assert free.ended.ended_record_id.encode() in sent
    for content in [*files, sent, *(path.read_bytes() for path in llm.places.var.rglob("*.log"))]:
        assert [word for word in told if word in content] == []


def tokens_as(width: int, tokens: list[int]) -> bytes:
    return b"".join((token % 256**width).to_bytes(width, "little") for token in tokens)


def varints(tokens: list[int]) -> bytes:
    from google.protobuf.internal.encoder import _VarintBytes  # type: ignore[attr-defined]

    return b"".join(_VarintBytes(token) for token in tokens)


async def proven(llm: LlmMesh, record_id: str) -> object:
    """The record, once its proof leads to the signed root."""
    async with llm.client("audit-reader") as gateway, asyncio.timeout(60.0):
        while True:
            try:
                proof = await gateway.get_inclusion_proof(TENANT, record_id)
                break
            except NotFound:  # the log is written behind
                await asyncio.sleep(0.1)
        stated = (await gateway.get_checkpoint(TENANT)).verifier_key
    record = proofs.record_of(proof.leaf.body)
    assert record is not None and record.audit_record_id == record_id
    proofs.check_inclusion(proof.leaf, proof, Verifier.parse(stated))
    return record


async def everything_in(llm: LlmMesh, topic: str) -> bytes:
    """All that was written to a topic so far."""
    async with AIOKafkaConsumer(topic, bootstrap_servers=f"{LOOPBACK}:{llm.ports.kafka}", auto_offset_reset="earliest") as consumer:
        partitions = consumer.assignment()
        ends = await consumer.end_offsets(partitions)
        found = b""
        while any([await consumer.position(each) < ends[each] for each in partitions]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += b"".join(bytes(record.value or b"") + bytes(record.key or b"") for record in records)
    return found


async def test_whose_share_is_used_up_is_told_when_there_is_more(llm: LlmMesh) -> None:
    """The share is of one principal: another goes on."""
    request = asked(max_output_tokens=400, ignore_end=True, sampling=Sampling(choices=4))
    spent, error = 0, None
    while error is None and spent <= 3 * QUOTA_OUTPUT_TOKENS:  # a minute may begin anew in between, once
        try:
            spent += (await llm.answer(request, sub="greedy")).ended.usage.output_tokens
        except QuotaExceeded as refused:  # before it begins, or in the middle, where the share ends
            error = refused
    assert error is not None and (error.reason, error.metadata["limit"]) == ("TOKENS_EXHAUSTED", "principal-output-minute")
    assert error.retry_after_s is not None and 0 < error.retry_after_s <= 60
    assert (await llm.answer(asked(), sub="modest")).reason


@pytest.fixture(scope="module")
def finmesh(llm: LlmMesh) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        own = {"FINMESH_VAR": str(llm.places.var), "FINMESH_GATEWAY": f"{LOOPBACK}:{llm.ports.grpc('gateway')}", "FINMESH_LANGUAGE": "en"}
        return subprocess.run(
            [sys.executable, "-m", "finmesh_cli", *arguments], env={**os.environ, **own, "COLUMNS": "200"}, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip

    return run


def test_finmesh_chat(finmesh: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    """With a schema, because a model of random weights says what no terminal may be sent."""
    file = tmp_path / "形式.json"
    file.write_text(json.dumps(SCHEMA, ensure_ascii=False))
    done = finmesh("chat", "--once", "你好", "--json-schema", str(file), "--max-tokens", "128", "--usage")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[0])["结论"] in SCHEMA["properties"]["结论"]["enum"]
    assert "triton-prefill" in done.stdout + done.stderr


def test_finmesh_models_and_pool(llm: LlmMesh, finmesh: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    models = finmesh("models", "--json")
    assert models.returncode == 0, models.stderr
    (model,) = [json.loads(line) for line in models.stdout.splitlines()]
    assert model["name"] == NAME and model["available"] and model["digest"] == manifests.read(llm.places.llm_model).digest
    pool = finmesh("pool")
    assert pool.returncode == 0, pool.stderr
    assert "triton-prefill" in pool.stdout and "triton-decode" in pool.stdout
    assert "ready" in pool.stdout and "onnxruntime" in pool.stdout


def test_finmesh_pool_history(finmesh: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """Published by both services, read by the router, out of Kafka."""
    done = finmesh("pool", "--history", "--json")
    assert done.returncode == 0, done.stderr
    changes = [json.loads(line) for line in done.stdout.splitlines()]
    for service, engine in (("inference-prefill", "triton-prefill"), ("inference-decode", "triton-decode")):
        own = [change for change in changes if (change["service"], change["workerId"]) == (service, engine)]
        assert [int(change["number"]) for change in own] == list(range(1, len(own) + 1))
        assert own[0]["after"] == "WORKER_STATE_STARTING"
        assert "WORKER_STATE_READY" in {change["after"] for change in own}
