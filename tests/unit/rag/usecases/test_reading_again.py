"""Previews and earlier conversations: authorised anew, and what is not there looks like what may not be read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from meshkit.clock import FakeClock
from meshkit.errors import NotFound
from rag.domain.access import Access, Grant
from rag.domain.caller import Caller
from rag.domain.conversation import Conversation, Turn
from rag.domain.retrieval import Scope
from rag.usecases.get_conversation import GetConversation
from rag.usecases.get_passage import GetPassage
from rag.usecases.reset_conversation import reset_conversation
from rag.usecases.send_feedback import send_feedback

from tests.unit.rag.shelf import NOW_S, NOW_US, Shelf, quoted, version

ME = Caller("bank-a", "理赔员", "claims-handling", clearance=2)


def shelf() -> Shelf:
    made = Shelf(grants={"理赔员": Grant(2)})
    made.put(version("terms", 3), "第一条", "第二条", "第三条")
    made.put(version("internal"), "内部", access=Access(3))
    return made


async def test_a_passage_is_shown_with_its_neighbours_and_recorded() -> None:
    made = shelf()
    preview = await GetPassage(made, made.rights(), made.evidence())(ME, "terms@3#1", 1)  # type: ignore[arg-type]
    assert preview.passage.text == "第二条" and [each.text for each in preview.neighbours] == ["第一条", "第三条"]
    told = made.records[-1].retrieval
    assert told.kind == 3 and [(each.ordinal, each.cited) for each in told.passages] == [(1, True), (0, False), (2, False)]
    by_address = await GetPassage(made, made.rights(), made.evidence())(ME, preview.passage.id.url, 0)  # type: ignore[arg-type]
    assert by_address.passage == preview.passage and by_address.neighbours == ()


@pytest.mark.parametrize("name", ["internal@1#0", "internal@1#9", "internal@2#0", "nothing@1#0", "terms@2#0"])
async def test_what_may_not_be_read_is_not_there_and_the_log_knows(name: str) -> None:
    made = shelf()
    with pytest.raises(NotFound) as caught:
        await GetPassage(made, made.rights(), made.evidence())(ME, name, 3)  # type: ignore[arg-type]
    assert (caught.value.reason, caught.value.message) == ("PASSAGE_NOT_FOUND", "there is no such passage")
    assert made.calls == ["passages", "referred", "log"], "the same look-ups whatever was named"
    told = made.records[-1].retrieval
    assert told.refusal == "PASSAGE_NOT_FOUND"
    assert [each.readable for each in told.passages] == ([False] if name == "internal@1#0" else [])
    assert made.kept_reads == []


async def test_a_conversation_is_read_again_without_what_may_not_be_read_any_more() -> None:
    made = shelf()
    first, second = (made.put(version(name), name, access=Access(grade))[0] for name, grade in (("a", 1), ("b", 2)))
    turn = Turn("问", (quoted(first), quoted(second)), NOW_US)
    made.conversations["bank-a", "理赔员", "c"] = Conversation(Scope(("internal",)), (turn,))
    use = GetConversation(made, made, made.rights(), made.evidence())  # type: ignore[arg-type]
    assert len((await use(ME, "c")).turns[0].sentences) == 2
    made.grants.clear()
    (kept,) = (await use(ME, "c")).turns
    assert [each.text for each in kept.sentences] == ["a"]
    told = made.records[-1].retrieval
    assert told.kind == 6 and sorted(each.readable for each in told.passages) == [False, True] and len(told.forbidden_keys) == 1


async def test_nobody_finds_anothers_conversation() -> None:
    made = shelf()
    made.conversations["bank-a", "别人", "c"] = Conversation(Scope(("terms",)))
    with pytest.raises(NotFound) as caught:
        await GetConversation(made, made, made.rights(), made.evidence())(ME, "c")  # type: ignore[arg-type]
    assert caught.value.reason == "CONVERSATION_NOT_FOUND"
    await reset_conversation(made, ME, "c", True)  # type: ignore[arg-type]
    assert made.conversations["bank-a", "别人", "c"].scope


async def test_feedback_is_kept_without_identifiers() -> None:
    made = shelf()
    await send_feedback(made, ME, FakeClock(NOW_S), "record", "WRONG", "客户 13800138000 说不对")  # type: ignore[arg-type]
    ((record, verdict, comment),) = made.verdicts
    assert (record, verdict) == ("record", "WRONG") and "13800138000" not in comment and "不对" in comment


async def test_what_was_cited_and_gave_way_since_is_marked() -> None:
    made = shelf()
    (old,) = made.put(version("rule", to_seq=12), "旧文")
    said = quoted(replace(old, superseded=False))
    made.conversations["bank-a", "理赔员", "c"] = Conversation(Scope(), (Turn("问", (said,), NOW_US),))
    found = await GetConversation(made, made, made.rights(), made.evidence())(ME, "c")  # type: ignore[arg-type]
    assert [each.superseded for each in found.turns[0].sentences[0].citations] == [True]
