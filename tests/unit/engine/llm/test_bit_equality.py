"""Rules "Bit equality" and "Slots and blocks": a prompt's keys, values and logits are the same bits however they came about."""

from __future__ import annotations

from itertools import pairwise
from threading import Event as Flag
from threading import Thread

import numpy as np
import pytest
from engine.llm.generation import ChoiceStart, Form, Sampling
from engine.llm.limits import Limits
from engine.llm.runner import Runner
from engine.llm.tool_grammar import CallableTool, ToolCalls
from engine.llm.warmup import fewest_rows

from .driver import ENDLESS, GREEDY, WARM, Driver, asked, finishes, hand_over, model, prompt

KINDS = [("llama", "fp32", 0), ("llama", "int4", 0), ("llama", "int4", 4), ("qwen3", "fp32", 0), ("qwen2", "int4", 4)]
SCHEMA = '{"type": "object", "properties": {"决定": {"enum": ["批准", "拒绝"]}, "n": {"type": "integer"}}, "required": ["决定", "n"]}'
TOOLS = (CallableTool("approve", SCHEMA), CallableTool("look-up", SCHEMA))
FORMS = [
    pytest.param(None, id="free"),
    pytest.param(SCHEMA, id="schema"),
    pytest.param(ToolCalls(TOOLS, is_parallel=True), id="calls"),
    pytest.param(ToolCalls(TOOLS, has_text=True), id="text or calls"),
]


def read(runner: Runner, row: int, tokens: np.ndarray, cuts: list[int]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Read a prompt in pieces; logits of its end, keys and values."""
    logits = np.empty(0)
    for start, end in pairwise([0, *np.cumsum(cuts).tolist()]):
        logits = runner.read(row, tokens[start:end], start).copy()
    assert sum(cuts) == len(tokens)
    with runner.memory.open(row, writes=False) as view:
        return logits, [stripe[:, : len(tokens)].copy() for stripe in view.stripes]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("length", [16, 17, 130, 300])
def test_chunks_of_any_size_but_one_are_bit_equal(kind: tuple[str, str, int], length: int) -> None:
    runner, tokens = Runner(model(*kind), 2, 512), np.array(prompt(length))
    wanted, cache = read(runner, 0, tokens, [128] * (length // 128) + [length % 128])
    for size in (2, 3, 7, 16, 24, 32, 64, 100):
        cuts = [size] * (length // size)
        rest = length - sum(cuts)
        if rest == 1:
            cuts[-1] -= 1
            rest = 2
        cuts = [cut for cut in [*cuts, rest] if cut]
        if 1 in cuts:
            continue
        logits, own = read(runner, 1, tokens, cuts)
        assert (logits == wanted).all(), cuts
        assert all((one == other).all() for one, other in zip(own, cache, strict=True)), cuts


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_who_else_writes_changes_no_bit(kind: tuple[str, str, int]) -> None:
    runner, tokens = Runner(model(*kind), 6, 512), np.array(prompt(90))
    runner.fewest_rows = fewest_rows(runner, 6)
    for row in range(6):
        read(runner, row, tokens, [90])
    alone = [runner.write([0], [token], [90 + at])[0].copy() for at, token in enumerate((5, 6, 7))]
    for row in range(6):
        read(runner, row, tokens, [90])
    for at, token in enumerate((5, 6, 7)):
        together = runner.write([0, 2, 3, 5], [token, 9, token, 11], [90 + at] * 4)
        assert (together[0] == alone[at]).all()
        assert (together[3] == alone[at]).all()


def test_idle_rows_are_bit_unchanged_while_something_writes_into_one() -> None:
    """A pull fills row 1 from another thread while rows 0 and 2 write: neither disturbs the other."""
    driver = Driver(Limits(rows=3, max_len=512, chunk_tokens=64, prefix_store_bytes=0))
    wanted = [Driver().run(asked("x", prompt(40, seed), 200, **ENDLESS)).tokens("x") for seed in (1, 2)]
    driver.submit(asked("zero", prompt(40, 1), 200, **ENDLESS))
    driver.step()
    driver.engine.reserve("landing", 300, 30)
    driver.submit(asked("two", prompt(40, 2), 200, **ENDLESS))
    content = np.random.default_rng(3)
    filled, done = [], Flag()

    def pull() -> None:
        with driver.engine.landing("landing") as (row, _):
            for start in range(0, 300, 10):
                for stripe in row.stripes:
                    block = content.integers(0, 256, (stripe.shape[0], 10, stripe.shape[2]), dtype=np.uint8)
                    stripe[:, start : start + 10] = block
                    filled.append(block)
        done.set()

    thread = Thread(target=pull)
    thread.start()
    driver.run()
    thread.join()
    assert done.is_set()
    assert [driver.tokens("zero"), driver.tokens("two")] == wanted
    own = driver.stripes(1, 300)
    for number, block in enumerate(filled):
        start, stripe = number // len(own) * 10, own[number % len(own)]
        assert (stripe[:, start : start + 10] == block).all()


@pytest.mark.parametrize("length", [3, 63, 64, 65, 66, 127, 128, 129, 130, 200])
def test_a_prefix_hit_equals_a_cold_prompt_and_leaves_two_tokens(length: int) -> None:
    driver = Driver(Limits(rows=2, max_len=512, chunk_tokens=64, prefix_store_bytes=1 << 24))
    driver.run(asked("cold", prompt(length)))
    cold = driver.stripes(0, length)
    driver.engine._loop.runner.memory.keys[0][:] = np.nan  # what the hit leaves out would be seen
    driver.run(asked("warm", prompt(length)))
    assert driver.tokens("warm") == driver.tokens("cold")
    assert all((one == other).all() for one, other in zip(driver.stripes(0, length), cold, strict=True))
    assert driver.finished("cold").usage.cached_tokens == 0
    assert driver.finished("warm").usage.cached_tokens == max(min(length // 64 * 64, length - 2), 0)


def test_namespaces_share_nothing() -> None:
    driver = Driver(Limits(rows=2, max_len=512, chunk_tokens=64, prefix_store_bytes=1 << 24))
    driver.run(asked("mine", prompt(200)))
    driver.run(asked("yours", prompt(200), namespace=bytes(32)))
    assert driver.finished("yours").usage.cached_tokens == 0
    assert driver.tokens("yours") == driver.tokens("mine")


def test_only_blocks_made_by_prefill_are_kept() -> None:
    """An answer's own blocks, made by single steps, hold other bits: none comes into the store."""
    driver = Driver(Limits(rows=2, max_len=512, chunk_tokens=64, prefix_store_bytes=1 << 24))
    driver.run(asked("long", prompt(70), 200, **ENDLESS))
    assert driver.engine.load().cached_blocks == 1
    whole = (*prompt(70), *driver.tokens("long"))
    driver.run(asked("next", whole, 5))
    assert driver.finished("next").usage.cached_tokens == 64


def test_no_prompt_is_read_in_a_chunk_of_one_token(monkeypatch: pytest.MonkeyPatch) -> None:
    widths: list[int] = []
    genuine = Runner._run

    def spied(self: Runner, binding: object, inputs: object, rows: int, chunk: int) -> None:
        widths.append(chunk)
        genuine(self, binding, inputs, rows, chunk)  # type: ignore[arg-type]

    monkeypatch.setattr(Runner, "_run", spied)
    for budget in (16, 17, 64):
        driver = Driver(Limits(rows=3, max_len=512, chunk_tokens=budget, prefix_store_bytes=1 << 24))
        for length in (1, 2, 17, 33, 65, 66, 129):
            widths.clear()
            driver.run(asked(f"{length}", prompt(length), 1))
            assert widths, length
            assert min(widths) >= 2


@pytest.mark.parametrize("sampling", [GREEDY, WARM], ids=["greedy", "drawn"])
@pytest.mark.parametrize("form", FORMS)
def test_a_replay_equals_an_uninterrupted_answer(sampling: Sampling, form: Form | None) -> None:
    fields = {"sampling": sampling, "form": form, "ignore_end": form is None}
    whole = Driver().run(asked("whole", prompt(40), 30, **fields))
    wanted = whole.tokens("whole")
    for cut in range(1, len(wanted)):
        driver = Driver().run(asked("replay", prompt(40), 30, choices=(ChoiceStart(0, tuple(wanted[:cut])),), **fields))
        assert driver.tokens("replay") == wanted[cut:]
        assert driver.finished("replay").reason == whole.finished("whole").reason
        assert driver.finished("replay").usage.output_tokens == len(wanted) - cut
        assert driver.finished("replay").output_tokens == len(wanted)


@pytest.mark.parametrize("sampling", [GREEDY, WARM], ids=["greedy", "drawn"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("length", [1, 2, 63, 64, 65, 200])
@pytest.mark.parametrize("choices", [1, 4])
def test_a_handed_over_answer_equals_one_that_stayed(sampling: Sampling, form: Form | None, length: int, choices: int) -> None:
    starts = tuple(ChoiceStart(number) for number in range(choices))
    generation = asked("r", prompt(length), 15, sampling=sampling, form=form, choices=starts)
    stayed = Driver().run(generation)
    source, target = Driver(), Driver(Limits(rows=4, max_len=512, chunk_tokens=64, prefix_store_bytes=1 << 24))
    target.run(asked("neighbour", prompt(length), 3))  # so that the target holds a prefix, and its rows are used
    hand_over(source, target, generation)
    for number in range(choices):
        assert source.tokens("r", number) + target.tokens("r", number) == stayed.tokens("r", number)
        ends = finishes([*source.events, *target.events], "r", number)
        assert [event.reason for event in ends] == [stayed.finished("r", number).reason]
    assert source.engine.held() == target.engine.held() == []


@pytest.mark.parametrize("rows", [4, 9])
def test_forks_equal_requests_of_their_own(rows: int) -> None:
    starts = tuple(ChoiceStart(number) for number in range(4))
    fork = Driver(Limits(rows=rows, max_len=512, chunk_tokens=64)).run(asked("n", prompt(100), 20, sampling=WARM, choices=starts))
    for number in range(4):
        own = Driver().run(asked("own", prompt(100), 20, sampling=WARM, choices=(ChoiceStart(number),)))
        assert own.tokens("own", number) == fork.tokens("n", number)
    assert len({tuple(fork.tokens("n", number)) for number in range(4)}) == 4
    assert fork.finished("n", 0).usage.prompt_tokens == 100


def test_batch_composition_does_not_change_greedy_tokens() -> None:
    generations = [asked(f"r{seed}", prompt(seed * 13, seed), 5 + seed * 3, **ENDLESS) for seed in range(1, 12)]
    together = Driver(Limits(rows=5, max_len=512, chunk_tokens=32)).run(*generations)
    for each in generations:
        assert Driver().run(each).tokens(each.request_id) == together.tokens(each.request_id)


def test_the_engine_reads_as_the_graph_says() -> None:
    """Against every position's logits of one pass over prompt and answer, with a graph that is asked for them all."""
    from tests.unit.recipes.llm.rows import Rows

    tokens = prompt(50)
    answer = Driver().run(asked("r", tokens, 10, **ENDLESS)).tokens("r")
    graph = Rows(_folder(), 1, 128)
    best = graph.step([((*tokens, *answer), 0)])[0].argmax(axis=1)
    assert best[len(tokens) - 1 : -1].tolist() == answer


def _folder():
    from pathlib import Path
    from tempfile import mkdtemp

    from llm import tiny

    return tiny.make(Path(mkdtemp()), tiny.Tiny())
