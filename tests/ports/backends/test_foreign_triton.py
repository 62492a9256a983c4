"""What a second Triton answers is what its model says: held against our own engine on the same folder, token for token."""

from __future__ import annotations

import asyncio

import pytest
from engine.llm.loading import load
from finmesh.inference.v1 import generation_pb2

from tests.stack import Stack
from tests.unit.engine.llm.driver import Driver, asked

from .asking import answer, prompt, to_decode
from .conftest import Pair

pytestmark = pytest.mark.stack


async def test_it_answers_as_our_own_engine_does_on_its_model(oip: Pair, stack: Stack) -> None:
    prompts = [prompt(length) for length in (3, 64, 130)]
    answers = await asyncio.gather(*(answer(oip, to_decode(oip, tokens)) for tokens in prompts))
    driver = Driver(loaded=load(stack.foreign_triton.model, threads=1))
    for number, (tokens, (events, told)) in enumerate(zip(prompts, answers, strict=True)):
        driver.run(asked(f"r-{number}", tokens, ignore_end=True))
        assert [token for _, token in told] == driver.tokens(f"r-{number}")
        assert [index for index, _ in told] == list(range(12))
        assert events[-2].reason == generation_pb2.FINISH_REASON_LENGTH


async def test_it_goes_on_behind_what_another_has_written(oip: Pair) -> None:
    tokens = prompt(40)
    _, whole = await answer(oip, to_decode(oip, tokens))
    emitted = [{"choice": 0, "token_ids": [token for _, token in whole[:5]]}]
    _, rest = await answer(oip, to_decode(oip, tokens, emitted=emitted))
    assert rest == whole[5:]
