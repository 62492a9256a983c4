"""Engines that take nothing over (role GENERATE) among those that do: who gets a ticket, who is asked, what the caller is told."""

from __future__ import annotations

import pytest
from meshkit.errors import FailedPrecondition

from .conftest import PROMPT, Sites, scenario
from .inference import END, DecodeNode, GenerateNode, Ledger, TextNode, answer, forever


@pytest.mark.parametrize("mode", ["always", "auto", "never"])
async def test_a_foreign_engine_reads_the_prompt_itself_whatever_the_scenario_wants(site: Sites, mode: str) -> None:
    ledger = Ledger()
    async with site(prefills=1, decodes=[GenerateNode("foreign-0", ledger)], scenarios=scenario(mode=mode), ledger=ledger) as mesh:
        await mesh.ready()
        heard = await mesh.generate()
        await mesh.nothing_is_held()
    assert heard.is_right()
    assert (heard.how.decode_worker, heard.how.prefill_worker, heard.how.disaggregated) == ("foreign-0", "", False)
    assert heard.how.reason == ("NEVER" if mode == "never" else "NO_HANDOFF_ENGINE")
    assert (heard.how.failovers, list(heard.how.degradations)) == (0, [])
    assert not mesh.prefills[0].asked


async def test_a_foreign_engine_serves_without_any_prefill_worker(site: Sites) -> None:
    ledger = Ledger()
    async with site(prefills=[], decodes=[GenerateNode("foreign-0", ledger)], ledger=ledger) as mesh:
        assert (await mesh.generate()).is_right()


async def test_who_takes_over_from_a_foreign_engine_gets_its_ticket(site: Sites) -> None:
    """The foreign one carries less; it dies before the first byte."""
    ledger = Ledger()
    foreign, own = GenerateNode("a-foreign", ledger), DecodeNode("b-own", ledger)
    own.load.decode_blocks = 20
    async with site(prefills=1, decodes=[foreign, own], ledger=ledger) as mesh:

        async def dies() -> None:
            await foreign.kill()

        foreign.faults.append(dies)
        heard = await mesh.generate()
        await mesh.nothing_is_held()
    assert heard.is_right()
    assert foreign.asked and not foreign.asked[0].ticket
    assert own.asked[0].ticket
    assert (heard.how.reason, heard.how.disaggregated, heard.how.prefill_worker) == ("ALWAYS", True, "prefill-0")


async def test_a_ticket_is_dropped_where_a_foreign_engine_takes_over(site: Sites) -> None:
    ledger = Ledger()
    own, foreign = DecodeNode("a-own", ledger), GenerateNode("b-foreign", ledger)
    foreign.load.decode_blocks = 20
    async with site(prefills=1, decodes=[own, foreign], ledger=ledger) as mesh:

        async def dies() -> None:
            await own.kill()

        own.faults.append(dies)
        heard = await mesh.generate()
        await mesh.nothing_is_held()
    assert heard.is_right()
    assert own.asked[0].ticket and not foreign.asked[0].ticket
    assert (heard.how.decode_worker, heard.how.reason, heard.how.disaggregated) == ("b-foreign", "NO_HANDOFF_ENGINE", False)


async def test_what_an_engine_lacks_is_asked_of_another(site: Sites) -> None:
    ledger = Ledger()
    lacking = [GenerateNode(f"a-{number}", ledger, lacks="GRAMMAR") for number in range(4)]  # more than a request may fail over
    own = DecodeNode("b-own", ledger)
    own.load.decode_blocks = 500
    async with site(prefills=1, decodes=[*lacking, own], ledger=ledger) as mesh:
        heard = await mesh.generate()
        again = await mesh.generate()
    assert heard.is_right() and again.is_right()
    assert (heard.how.decode_worker, heard.how.failovers) == ("b-own", 0)
    assert sum(len(each.asked) for each in lacking) == 8, "lacking something is no failure that a breaker counts"


async def test_what_no_engine_has_the_caller_is_told_at_once(site: Sites) -> None:
    ledger = Ledger()
    async with site(
        prefills=[], decodes=[GenerateNode("a", ledger, lacks="TOP_K"), GenerateNode("b", ledger, lacks="TOP_K")], ledger=ledger
    ) as mesh:
        with pytest.raises(FailedPrecondition) as caught:
            await mesh.generate(timeout=5)
        await mesh.nothing_is_held()
    assert caught.value.reason == "ENGINE_LACKS_TOP_K"


async def test_an_answer_that_a_foreign_engine_began_goes_on_elsewhere(site: Sites) -> None:
    ledger = Ledger()
    first, second = GenerateNode("a", ledger), GenerateNode("b", ledger)

    async def silent(index: int) -> None:
        if index:
            await forever()

    first.between = silent
    second.load.decode_blocks = 20
    async with site(prefills=[], decodes=[first, second], ledger=ledger, silence_ms=500) as mesh:
        heard = await mesh.generate()
    assert heard.is_right()
    assert [list(each.token_ids) for each in second.asked[0].emitted] and len(heard.of("continued")) == 1


def said(seed: int) -> list[int]:
    return answer([ord(each) for each in PROMPT], seed, 0)


async def test_an_engine_of_text_is_given_text_and_counts_as_it_says(site: Sites) -> None:
    ledger = Ledger()
    async with site(prefills=[], decodes=[TextNode("text-0", ledger)], ledger=ledger) as mesh:
        heard = await mesh.generate(mesh.ask(return_token_ids=True))
        await mesh.recorded()
        (end,) = mesh.records.ends
    assert heard.is_right()
    assert not [token for delta in heard.of("delta") for token in delta.token_ids], "it told none"
    told = said(heard.admitted.seed)
    assert heard.of("finished")[0].output_tokens == heard.ended.usage.output_tokens == len(told) + 5
    assert list(end.output_tokens[0]) == [token for token in told if token != END], "the record has the tokens of what it said"


async def test_stop_strings_are_found_in_text(site: Sites) -> None:
    ledger = Ledger()
    async with site(prefills=[], decodes=[TextNode("text-0", ledger)], ledger=ledger) as mesh:
        heard = await mesh.generate(mesh.ask(stop=["个回"]))
    assert heard.text() == "第0"


async def test_a_prompt_that_no_text_stands_for_goes_to_an_engine_of_ids(site: Sites) -> None:
    ledger = Ledger()
    text, own = TextNode("text-0", ledger), DecodeNode("own-0", ledger)
    own.load.decode_blocks = 50
    async with site(prefills=1, decodes=[text, own], ledger=ledger) as mesh:
        heard = await mesh.generate(mesh.ask("‼ 谁?"))
        assert heard.is_right(prompt="‼ 谁?") and heard.how.decode_worker == "own-0"
        assert (await mesh.generate()).how.decode_worker == "text-0"
        await own.kill()
        with pytest.raises(FailedPrecondition) as caught:
            await mesh.generate(mesh.ask("‼ 谁?"))
        await mesh.nothing_is_held()
    assert caught.value.reason == "ENGINE_LACKS_TOKEN_IDS"


@pytest.mark.parametrize(("first", "second"), [(TextNode, GenerateNode), (GenerateNode, TextNode), (TextNode, TextNode)])
async def test_an_answer_goes_on_between_engines_of_text_and_of_ids(
    site: Sites, first: type[GenerateNode], second: type[GenerateNode]
) -> None:
    ledger = Ledger()
    dying, living = first("a", ledger), second("b", ledger)

    async def silent(index: int) -> None:
        if index:
            await forever()

    dying.between = silent
    living.load.decode_blocks = 20
    async with site(prefills=[], decodes=[dying, living], ledger=ledger, silence_ms=500) as mesh:
        heard = await mesh.generate()
        await mesh.recorded()
    assert heard.is_right() and len(heard.of("continued")) == 1
    (emitted,) = living.asked[0].emitted
    assert list(emitted.token_ids) == said(heard.admitted.seed)[: len(emitted.token_ids)]
    assert bool(emitted.text) is living.takes_text
    assert [each for each in mesh.records.ends[0].output_tokens[0] if each] == said(heard.admitted.seed)[:-1]
