"""Engines whose decode side computes the first token itself (vLLM): nothing of the prompt's reader is told, each token comes once."""

from __future__ import annotations

from functools import partial

import pytest
from meshkit.errors import Unavailable

from .conftest import PROMPT, Sites
from .inference import DecodeNode, Ledger, PrefillNode, answer
from .test_failures import raising, whole

vllm_prefill, vllm_decode = partial(PrefillNode, kind="vllm"), partial(DecodeNode, kind="vllm")


async def test_each_token_comes_once_from_the_decode_side_and_the_engine_vouches(site: Sites) -> None:
    ledger = Ledger()
    async with site([vllm_prefill("p", ledger)], [vllm_decode("d", ledger)], ledger=ledger) as mesh:
        heard = await whole(mesh, await mesh.generate(mesh.ask(return_token_ids=True)))
        (end,) = mesh.records.ends
        (asked,) = mesh.prefills[0].asked
    ids = [token for delta in heard.of("delta") for token in delta.token_ids]
    assert ids == answer([ord(each) for each in PROMPT], heard.admitted.seed, 0)
    assert (end.provenance.integrity, end.provenance.is_disaggregated) == ("ENGINE", True)
    assert (asked.decode_worker_id, asked.decode_incarnation) == ("d", "d-1")


async def test_several_answers_and_one_of_a_single_token(site: Sites) -> None:
    ledger = Ledger()
    async with site([vllm_prefill("p", ledger)], [vllm_decode("d", ledger)], ledger=ledger) as mesh:
        request = mesh.ask(max_output_tokens=1)
        request.sampling.choices = 3
        heard = await mesh.generate(request)
        await mesh.nothing_is_held()
    prompt = [ord(each) for each in PROMPT]
    assert [heard.text(choice) for choice in range(3)] == [chr(answer(prompt, heard.admitted.seed, choice)[0]) for choice in range(3)]


async def test_a_reader_that_begins_nothing_though_it_should_is_a_failure(site: Sites) -> None:
    """As before: only the kind says that no token is right."""
    async with site(prefills=2) as mesh:
        for node in mesh.prefills:
            node.forgets = 1
        heard = await mesh.generate()
        assert heard.is_right()
        assert "PREFILL_DOWN" in heard.how.degradations or heard.how.failovers >= 1


async def test_another_decode_worker_gets_a_ticket_of_its_own(site: Sites) -> None:
    """The first ticket is for the worker that failed, alone: the prompt is read again, in a new epoch, for the next one."""
    ledger = Ledger()
    decodes = [vllm_decode(f"d{n}", ledger) for n in range(2)]
    async with site([vllm_prefill("p", ledger)], decodes, ledger=ledger) as mesh:
        for node, other_node in (decodes, decodes[::-1]):

            async def fault(other: DecodeNode = other_node) -> None:
                other.faults.clear()
                await raising(Unavailable("the engine died", reason="ENGINE_LOST"))()

            node.faults.append(fault)
        heard = await whole(mesh)
        first, second = mesh.prefills[0].asked
        told = [(request.ticket != b"", node.name) for node in decodes for request in node.asked]
    assert {first.decode_worker_id, second.decode_worker_id} == {"d0", "d1"}
    assert (first.epoch, second.epoch) == (1, 2)
    assert sorted(told) == [(True, "d0"), (True, "d1")]
    assert (heard.how.failovers, heard.how.disaggregated) == (2, True)


@pytest.mark.parametrize("reason", ["PULL_FAILED", "LEASE_EXPIRED", "TICKET_REFUSED"])
async def test_a_hand_off_that_failed_is_read_again(site: Sites, reason: str) -> None:
    ledger = Ledger()
    async with site([vllm_prefill("p", ledger)], [vllm_decode("d", ledger)], ledger=ledger) as mesh:
        mesh.decodes[0].faults.append(raising(Unavailable("no", reason=reason)))
        heard = await whole(mesh)
        assert [request.epoch for request in mesh.prefills[0].asked] == [1, 2]
    assert heard.how.disaggregated
