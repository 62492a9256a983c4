"""What a request lives through: admission, hand-off, early end, refusals, grammar, failures of a step."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from engine.llm.errors import Refused
from engine.llm.generation import CacheChanged, ChoiceStart, Finished, FinishReason, Prefilled, Sampling, Started, Token
from engine.llm.limits import Limits
from engine.llm.runner import Runner
from engine.llm.tool_grammar import CallableTool, ToolCalls
from llm import tiny

from .driver import ENDLESS, NAMESPACE, WARM, Clock, Driver, asked, finishes, prompt

ENCODER = tiny.Tokenizer.from_str(tiny.tokenizer(384).decode())
SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"风险": {"enum": ["高", "低"]}, "通过": {"type": "boolean"}},
        "required": ["风险", "通过"],
        "additionalProperties": False,
    },
    ensure_ascii=False,
)


def limits(**changes: object) -> Limits:
    return Limits(**{"rows": 4, "max_len": 256, "chunk_tokens": 64, "prefix_store_bytes": 1 << 22, **changes})  # type: ignore[arg-type]


def test_what_is_told_of_an_answer() -> None:
    driver = Driver(limits()).run(asked("请求", prompt(70), 5, sampling=Sampling(logprobs=True, top_logprobs=2), **ENDLESS))
    kinds = [type(event) for event in driver.events if not isinstance(event, CacheChanged)]
    assert kinds == [Started, *[Token] * 5, Finished]
    told = [event for event in driver.events if isinstance(event, Token)]
    assert all(event.top[0] == (event.token, event.logprob) and len(event.top) == 2 for event in told)
    end = driver.finished("请求")
    assert (end.reason, end.is_last, end.output_tokens, end.error) == (FinishReason.LENGTH, True, 5, "")
    assert (end.usage.prompt_tokens, end.usage.cached_tokens, end.usage.output_tokens) == (70, 0, 5)


def test_busy_time_is_shared_by_those_who_used_it() -> None:
    """On a clock that each look moves by a second: a step of two answers costs each a half of it."""

    class Ticking(Clock):
        def __call__(self) -> float:
            self.now += 1
            return self.now

    driver = Driver(limits(), Ticking()).run(asked("a", prompt(10), 4, **ENDLESS), asked("b", prompt(10, 2), 4, **ENDLESS))
    usage = [driver.finished(each).usage.busy_ms for each in "ab"]
    assert usage == [1000 + 2 * 500, 1000 + 2 * 500]  # a chunk, then three steps, of which the last is not counted yet when it is told


def test_an_end_token_is_told_and_ends() -> None:
    driver = Driver(limits()).run(asked("r", prompt(5, 3), 200))
    first = Driver(limits()).run(asked("r", prompt(5, 3), 200, **ENDLESS)).tokens("r")
    at = min(first.index(each) for each in (tiny.END_ID, tiny.END_OF_TEXT_ID) if each in first)
    assert driver.tokens("r") == first[: at + 1]
    assert driver.finished("r").reason is FinishReason.STOP


def test_a_stop_token_ends_at_its_first_place() -> None:
    whole = Driver(limits()).run(asked("r", prompt(30), 20, **ENDLESS)).tokens("r")
    stop = whole[7]
    driver = Driver(limits()).run(asked("r", prompt(30), 20, stop_ids=frozenset([stop]), **ENDLESS))
    assert driver.tokens("r") == whole[: whole.index(stop) + 1]
    assert driver.finished("r").reason is FinishReason.STOP


def test_a_full_row_ends_with_length() -> None:
    driver = Driver(limits(max_len=64)).run(asked("r", prompt(60), 100, **ENDLESS))
    assert len(driver.tokens("r")) == 4
    assert driver.finished("r").reason is FinishReason.LENGTH


# the hand-off's rules: Early end, Sampling


@pytest.mark.parametrize("early", ["max_tokens", "stop"])
def test_an_answer_of_one_token_ends_where_its_prompt_was_read(early: str) -> None:
    first = Driver(limits()).run(asked("r", prompt(20), 1, **ENDLESS)).tokens("r")
    fields = {"max_tokens": 1} if early == "max_tokens" else {"max_tokens": 9, "stop_ids": frozenset(first)}
    driver = Driver(limits()).run(asked("p", prompt(20), prefill_only=True, ignore_end=True, **fields))
    assert driver.tokens("p") == first
    assert driver.finished("p").is_last
    assert not [event for event in driver.events if isinstance(event, Prefilled)]
    assert driver.engine.held() == []


def test_choices_that_ended_with_their_first_token_are_not_handed_over() -> None:
    starts = tuple(ChoiceStart(number) for number in range(4))
    firsts = [
        Driver(limits()).run(asked("r", prompt(20), 1, sampling=WARM, choices=(each,))).tokens("r", each.number)[0] for each in starts
    ]
    assert len(set(firsts)) > 1
    driver = Driver(limits())
    driver.submit(asked("p", prompt(20), 9, sampling=WARM, choices=starts, prefill_only=True, stop_ids=frozenset(firsts[:1]), **ENDLESS))
    told = driver.until(Prefilled, "p")
    assert [each.choice for each in told.first] == [number for number in range(4) if firsts[number] != firsts[0]]
    assert [event.choice for event in driver.events if isinstance(event, Finished)] == [n for n in range(4) if firsts[n] == firsts[0]]
    assert [event.token for event in driver.events if isinstance(event, Token)] == firsts
    assert (told.length, told.row, len(told.block_ids)) == (20, 0, 0)
    driver.engine.release_row("p")
    assert driver.engine.held() == []


def test_a_prefilled_row_waits_until_it_is_released() -> None:
    driver = Driver(limits(rows=1))
    driver.submit(asked("p", prompt(70), prefill_only=True), asked("next", prompt(5), 2))
    told = driver.until(Prefilled, "p")
    for _ in range(5):
        driver.step()
    assert driver.engine.load().queued == 1
    assert len(told.block_ids) == 1
    driver.engine.release_row("p")
    driver.engine.release_row("p")  # both ends may say so
    driver.run()
    assert driver.tokens("next")


def test_a_landed_answer_is_forked_and_its_first_tokens_are_not_told_again() -> None:
    driver = Driver(limits())
    driver.engine.reserve("v", 60, 30, rows=2)
    starts = (ChoiceStart(0, (7,)), ChoiceStart(2, (9,)))
    driver.run(asked("r", prompt(20), 4, choices=starts, landed=True, reservation_id="v", **ENDLESS))
    for number in (0, 2):
        assert [event.index for event in driver.events if isinstance(event, Token) and event.choice == number] == [1, 2, 3]
    assert [event.landed for event in driver.events if isinstance(event, Started)] == [True]


def test_what_has_landed_is_told_before_anything_is_computed() -> None:
    """Who asked has its first token already and waits for this alone: not for a step of the graph."""
    driver = Driver(limits())
    driver.engine.reserve("v", 60, 30)
    driver.engine.submit(asked("r", prompt(20), 4, choices=(ChoiceStart(0, (7,)),), landed=True, reservation_id="v", **ENDLESS))
    assert driver.step() == [Started("r", landed=True)]
    assert [event.index for event in driver.step() if isinstance(event, Token)] == [1]


def test_a_prompt_that_is_read_in_its_reserved_row_begins_as_every_other() -> None:
    """Its start is told before its first token, and what the prefix store holds of it is not read again."""
    driver = Driver(limits()).run(asked("old", prompt(130), 2))
    driver.events.clear()
    driver.engine.reserve("v", 200, 30)
    driver.run(asked("r", prompt(130), 3, reservation_id="v", **ENDLESS))
    told = [event for event in driver.events if isinstance(event, Started | Token | Finished)]
    assert isinstance(told[0], Started) and not told[0].landed
    assert [event.index for event in told if isinstance(event, Token)] == [0, 1, 2]
    assert driver.finished("r").usage.cached_tokens == 128


def test_a_prompt_that_is_ended_before_its_turn_leaves_its_reserved_row() -> None:
    driver = Driver(limits())
    driver.engine.reserve("v", 60, 30)
    driver.engine.submit(asked("r", prompt(20), reservation_id="v"))
    driver.engine.abort("r", "CANCELLED")
    driver.run()
    assert driver.finished("r").reason is FinishReason.CANCELLED
    assert driver.engine.held() == []


def test_what_ended_already_when_it_landed_ends_at_once() -> None:
    driver = Driver(limits())
    driver.engine.reserve("v", 60, 30, rows=2)
    starts = (ChoiceStart(0, (7, 8, 9)), ChoiceStart(1, (tiny.END_ID,)))
    driver.run(asked("r", prompt(20), 3, choices=starts, landed=True, reservation_id="v"))
    assert [driver.finished("r", number).reason for number in (0, 1)] == [FinishReason.LENGTH, FinishReason.STOP]
    assert not [event for event in driver.events if isinstance(event, Token)]
    assert driver.engine.held() == []


def test_a_row_that_was_prepared_for_another_prompt_is_not_used() -> None:
    """Blocks that the target held already are those of the reserved prompt; a ticket for another one must not run on them."""
    driver = Driver(limits()).run(asked("old", prompt(130), 2))
    _, ids = driver.engine.cache_snapshot()
    assert driver.engine.reserve("v", 200, 30, chain=ids) == 2
    with driver.engine.landing("v") as (_, first_block):
        assert first_block == 2
    wrong = asked("r", prompt(130, 9), landed=True, reservation_id="v", choices=(ChoiceStart(0, (7,)),))
    with pytest.raises(Refused, match="LAYOUT_MISMATCH"):
        driver.engine.submit(wrong)
    driver.run(asked("r", prompt(130), 3, landed=True, reservation_id="v", choices=(ChoiceStart(0, (7,)),), **ENDLESS))
    assert len(driver.tokens("r")) == 2


# the grammar


@pytest.mark.parametrize("seed", range(12))
def test_an_answer_that_was_not_cut_is_json_of_its_schema(seed: int) -> None:
    sampling = Sampling(seed, temperature=1.5) if seed else Sampling()
    starts = tuple(ChoiceStart(number) for number in range(3))
    driver = Driver(limits()).run(asked("r", prompt(20, seed), 60, sampling=sampling, form=SCHEMA, choices=starts))
    for number in range(3):
        assert driver.finished("r", number).reason is FinishReason.STOP
        answer = json.loads(ENCODER.decode(driver.tokens("r", number)))
        assert answer["风险"] in {"高", "低"}
        assert isinstance(answer["通过"], bool)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("is_parallel", [False, True])
def test_tools_that_must_be_called_are_called_as_their_schemas_say(seed: int, is_parallel: bool) -> None:
    form = ToolCalls((CallableTool("decide", SCHEMA), CallableTool("look-up", '{"type": "object", "additionalProperties": false}')))
    sampling = Sampling(seed, temperature=1.5) if seed else Sampling()
    generation = asked("r", prompt(20, seed), 400, sampling=sampling, form=replace(form, is_parallel=is_parallel))
    driver = Driver(limits(max_len=512)).run(generation)
    calls = ENCODER.decode(driver.tokens("r")).split("<tool_call>")[1:]
    if driver.finished("r").reason is FinishReason.LENGTH:  # it calls for ever
        assert is_parallel and len(calls) > 3
        calls.pop()
    assert calls and (is_parallel or len(calls) == 1)
    for call in calls:
        said = json.loads(call.strip().removesuffix("</tool_call>"))
        if said["name"] == "decide":
            assert said["arguments"]["风险"] in {"高", "低"} and isinstance(said["arguments"]["通过"], bool)
        else:
            assert said == {"name": "look-up", "arguments": {}}


def test_a_stop_token_cannot_cut_json() -> None:
    """Every token but one of the answer is a stop token too: they end nothing where the JSON is not whole."""
    whole = Driver(limits()).run(asked("r", prompt(20), 60, form=SCHEMA)).tokens("r")
    driver = Driver(limits()).run(asked("r", prompt(20), 60, form='{"enum": ["低", 1, 22]}', stop_ids=frozenset(whole)))
    assert driver.finished("r").reason is FinishReason.STOP
    assert json.loads(ENCODER.decode([each for each in driver.tokens("r") if each != tiny.END_ID])) in ("低", 1, 22)


def test_an_answer_that_was_cut_says_so() -> None:
    driver = Driver(limits()).run(asked("r", prompt(20), 3, form=SCHEMA))
    assert driver.finished("r").reason is FinishReason.LENGTH


@pytest.mark.parametrize(
    ("schema", "reason"),
    [("{", "SCHEMA_INVALID"), ('{"$ref": "https://x/y"}', "SCHEMA_INVALID"), ('{"enum": []}', "GRAMMAR_UNSATISFIABLE")],
)
def test_a_schema_is_refused_before_anything_is_held(schema: str, reason: str) -> None:
    driver = Driver(limits())
    driver.engine.reserve("v", 60, 30)
    before = driver.engine.held()
    with pytest.raises(Refused) as refused:
        driver.engine.submit(asked("r", prompt(20), form=schema, reservation_id="v"))
    assert refused.value.reason == reason
    assert driver.engine.held() == before


# refusals and failures


def test_a_full_queue_refuses_and_says_when_to_come_back() -> None:
    driver = Driver(limits(rows=1, queue=2))
    driver.submit(*(asked(f"r{number}", prompt(5), 3) for number in range(2)))
    with pytest.raises(Refused) as refused:
        driver.engine.submit(asked("late", prompt(5), 3))
    assert refused.value.reason == "OVERLOADED"
    assert refused.value.retry_after_s
    driver.run()
    driver.run(asked("late", prompt(5), 3))
    assert driver.finished("late")


def test_an_id_is_not_taken_twice_at_a_time() -> None:
    driver = Driver(limits()).submit(asked("r", prompt(5), 3))
    with pytest.raises(Refused, match="REQUEST_DUPLICATE"):
        driver.engine.submit(asked("r", prompt(6), 3))
    driver.run()
    driver.run(asked("r", prompt(5), 3))
    assert len(finishes(driver.events, "r")) == 2


@pytest.mark.parametrize("where", ["write", "read"])
def test_logits_that_are_not_finite_end_their_row_alone(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    wanted = Driver(limits()).run(asked("good", prompt(20), 8, **ENDLESS)).tokens("good")
    genuine = getattr(Runner, where)

    def broken(self: Runner, *arguments: object) -> np.ndarray:
        logits = genuine(self, *arguments)
        if where == "write":
            logits[1:, 17] = np.nan
        elif arguments[0] == 1:
            logits[0, 17] = np.nan
        return logits

    driver = Driver(limits())
    monkeypatch.setattr(Runner, where, broken)
    driver.run(asked("good", prompt(20), 8, **ENDLESS), asked("bad", prompt(20, 2), 8, **ENDLESS))
    assert driver.tokens("good") == wanted
    end = driver.finished("bad")
    assert (end.reason, end.error) == (FinishReason.ERROR, "LOGITS_NOT_FINITE")
    assert driver.engine.held() == []


@pytest.mark.parametrize("where", ["write", "read"])
def test_a_step_that_fails_ends_those_who_were_in_it_and_the_engine_goes_on(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    driver, genuine = Driver(limits()), getattr(Runner, where)

    def failing(self: Runner, *arguments: object) -> np.ndarray:
        raise RuntimeError("秘密 memory")

    driver.submit(asked("a", prompt(20), 8, **ENDLESS), asked("b", prompt(20), 8, **ENDLESS))
    if where == "write":
        driver.step()
    monkeypatch.setattr(Runner, where, failing)
    driver.step()
    monkeypatch.setattr(Runner, where, genuine)
    driver.run(asked("c", prompt(20), 8, **ENDLESS))
    for each in "ab":
        end = driver.finished(each)
        assert (end.reason, end.error, end.message) == (FinishReason.ERROR, "STEP_FAILED", "RuntimeError")
    assert driver.finished("c").reason is FinishReason.LENGTH
    assert driver.engine.held() == []


def test_a_grammar_that_breaks_ends_its_answer_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.llm.grammar import GrammarError, Matcher

    genuine, calls = Matcher.mask, []

    def breaking(self: Matcher, stop_ids: object = ()) -> np.ndarray:
        calls.append(self)
        if len(calls) > 4:
            raise GrammarError("ParserTooComplex")
        return genuine(self, ())

    monkeypatch.setattr(Matcher, "mask", breaking)
    driver = Driver(limits()).run(asked("g", prompt(20), 30, form=SCHEMA), asked("free", prompt(20), 30, **ENDLESS))
    assert (driver.finished("g").reason, driver.finished("g").error) == (FinishReason.ERROR, "GRAMMAR_FAILED")
    assert driver.finished("free").reason is FinishReason.LENGTH


def test_a_token_that_breaks_the_grammar_ends_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.llm.grammar import GrammarError, Matcher

    def breaking(self: Matcher, token: int) -> None:
        raise GrammarError("ParserTooComplex")

    monkeypatch.setattr(Matcher, "advance", breaking)
    driver = Driver(limits()).run(asked("g", prompt(20), 30, form=SCHEMA))
    assert (driver.finished("g").reason, driver.finished("g").error) == (FinishReason.ERROR, "GRAMMAR_FAILED")
    assert driver.tokens("g") == []
    assert driver.engine.held() == []


@pytest.mark.parametrize("where", ["write", "read"])
def test_nothing_is_told_after_an_abort_but_the_end(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """The abort comes from another thread while the graph runs."""
    driver, genuine = Driver(limits()), getattr(Runner, where)
    driver.submit(asked("r", prompt(20), 9, **ENDLESS))
    if where == "write":
        driver.step()

    def aborting(self: Runner, *arguments: object) -> np.ndarray:
        driver.engine.abort("r")
        driver.events.clear()
        return genuine(self, *arguments)

    monkeypatch.setattr(Runner, where, aborting)
    driver.run()
    assert [type(event) for event in driver.events if not isinstance(event, Started | CacheChanged)] == [Finished]
    assert driver.finished("r").reason is FinishReason.CANCELLED


# KV events


def test_events_of_the_store_are_numbered_and_can_be_asked_for_again() -> None:
    driver = Driver(limits(prefix_store_bytes=3 * 64 * 512, cache_events_kept=2))  # three blocks of the tiny model
    assert driver.engine.load().cache_capacity_blocks == 3
    for seed in range(4):
        driver.run(asked(f"r{seed}", prompt(130, seed), 2))
    told = [event for event in driver.events if isinstance(event, CacheChanged)]
    assert [event.sequence for event in told] == [1, 2, 3, 4]
    held: set[bytes] = set()
    for event in told:
        held = (held - set(event.removed)) | set(event.stored)
    assert driver.engine.cache_snapshot()[0] == 4
    assert set(driver.engine.cache_snapshot()[1]) == held
    assert driver.engine.cache_since(2) == told[2:]
    assert driver.engine.cache_since(4) == []
    assert driver.engine.cache_since(1) is None  # kept no longer
    assert driver.engine.cache_since(5) is None  # of another incarnation


def test_the_prefix_store_may_be_nothing() -> None:
    driver = Driver(limits(prefix_store_bytes=0)).run(asked("r", prompt(130), 2), asked("s", prompt(130), 2))
    assert driver.finished("s").usage.cached_tokens == 0


def test_the_load_says_what_is_used() -> None:
    driver = Driver(limits(rows=2))
    driver.engine.reserve("v", 10, 30)
    driver.submit(asked("a", prompt(70), 9, **ENDLESS), asked("b", prompt(30), 9))
    driver.step()
    load = driver.engine.load()
    assert (load.rows_used, load.rows_total, load.queued, load.prefill_tokens) == (2, 2, 1, 6 + 30)
    driver.step()
    driver.step()
    load = driver.engine.load()
    assert (load.decode_blocks, load.steps, load.cached_blocks) == (2, 3, 1)
    assert load.incarnation != Driver(limits()).engine.load().incarnation
    assert len(NAMESPACE) == 32


def test_prompts_that_came_together_share_what_the_first_of_them_read() -> None:
    """The store is asked when a prompt's turn comes, not when it gets its row."""
    driver = Driver(limits()).run(*(asked(f"r{number}", (*prompt(130), *prompt(60, number)), 3) for number in range(4)))
    assert [driver.finished(f"r{number}").usage.cached_tokens for number in range(4)] == [0, 128, 128, 128]


def test_a_prompt_that_has_a_row_but_no_turn_still_waits() -> None:
    driver = Driver(limits())
    driver.submit(asked("long", prompt(240), 3, priority=1), asked("late", prompt(200, 2), 3, deadline=driver.clock.now + 2))
    driver.step()
    assert [event.request_id for event in driver.events if isinstance(event, Started)] == ["long"]
    driver.clock.now += 2
    driver.run()
    assert (driver.finished("late").error, driver.finished("long").error) == ("QUEUE_EXPIRED", "")


@pytest.mark.parametrize(
    "wrong",
    [
        {"rows": 0},
        {"queue": -1},
        {"prefix_store_bytes": -1},
        {"chunk_tokens": 15},
        {"chunk_tokens": 129},
        {"max_len": 1},
        {"max_len": 4097},
    ],
)
def test_an_engine_that_cannot_be_does_not_start(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=str(next(iter(wrong.values())))):
        Driver(limits(**wrong))
