"""Engines that spoil hand-offs: each kind fails in its own way, is counted, and can be mended by the next epoch."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from drills.faults_llm import shims
from drills.faults_llm.shims.kinds import FILE, KINDS, SHARE, Count, counted, draw, heals
from drills.faults_llm.shims.spoiling import SpoilingPublisher, SpoilingPuller
from engine.handoff.arena import Arena
from engine.handoff.errors import HandoffError
from engine.handoff.server import Server

from tests.unit.engine.handoff.makers import KEY, LAYOUT, MAX_LEN, NOW_S, Clock, Ends, claims, content, new_id, row
from tests.unit.engine.handoff.waiting import until

ROOT = Path(__file__).parents[4]


@pytest.fixture
def spoilt(tmp_path):
    """``spoilt(kind, heals)``: both ends, every first epoch spoilt in one way."""
    opened: list[Ends] = []

    def made(kind: str, is_healing: bool) -> Ends:
        clock, tell = Clock(), Count(tmp_path)
        more = {"draw": lambda _, epoch: kind if epoch == 1 else "", "tell": tell, "heals": lambda _: is_healing}
        arena = Arena(LAYOUT, 4096 + 16 * LAYOUT.block_bytes)
        publisher = SpoilingPublisher(arena, lambda: KEY, "incarnation-1", clock=clock, wall=lambda: NOW_S, **more)
        server = Server(publisher, unix_path=tmp_path / "kv")
        opened.append(Ends(publisher, server, SpoilingPuller(LAYOUT, clock=clock, wall=lambda: NOW_S, **more), clock))
        return opened[-1]

    yield made
    for each in opened:
        each.puller.links.close()
        each.server.close()
        each.publisher.close()


def outcome(here: Ends, said, landing) -> tuple[str, int]:
    """Reason and pulls of one hand-off from its reservation on."""
    try:
        pulled = here.puller.pull(here.published(said, row(1)), landing)
    except HandoffError as error:
        return error.reason, 0
    return pulled.commit, pulled.pulls


@pytest.mark.parametrize(
    ("kind", "is_healing", "expected"),
    [
        ("short_read", False, ("SHORT_READ", 0)),
        ("short_read", True, ("COMMITTED", 2)),
        ("flipped_bit", False, ("CHECKSUM", 0)),
        ("flipped_bit", True, ("COMMITTED", 2)),
        ("stale_epoch", False, ("FENCED", 0)),
        ("version_skew", False, ("VERSION_UNKNOWN", 0)),
        ("expired_lease", False, ("LEASE_EXPIRED", 0)),
        ("overload", False, ("OVERLOADED", 0)),
        ("", False, ("COMMITTED", 1)),
    ],
)
def test_each_kind_shows_in_its_own_way_and_the_next_epoch_mends_it(spoilt, tmp_path, kind, is_healing, expected) -> None:
    here, landing, said = spoilt(kind, is_healing), row(2), claims(200)
    behind = content(landing, 200, MAX_LEN)
    assert outcome(here, said, landing) == expected
    if expected[0] == "COMMITTED":
        assert content(landing, 0, 200) == content(row(1), 0, 200)
    assert counted(tmp_path / FILE) == {each: int(each == kind) for each in KINDS}
    second = claims(200, handoff_id=said.handoff_id, epoch=2)
    if expected[0] != "COMMITTED":
        assert outcome(here, second, landing) == ("COMMITTED", 1)
        assert content(landing, 0, 200) == content(row(1), 0, 200)
    assert content(landing, 200, MAX_LEN) == behind
    here.clock.now_s += 61.0  # the ticket of another version is never pulled: its lease ends it
    here.publisher.sweep()
    until(lambda: here.publisher.held() == [])
    assert here.publisher.arena.used_bytes == 0


def test_what_is_spoilt_is_drawn_from_the_id_alone_and_each_kind_has_its_share() -> None:
    ids = [new_id() for _ in range(20_000)]
    drawn = [draw(each, 1) for each in ids]
    assert drawn == [draw(each, 1) for each in ids]
    for kind in KINDS:
        assert 0.8 < drawn.count(kind) / len(ids) / SHARE < 1.2
    assert {draw(each, 2) for each in ids} == {""}
    assert 0.45 < sum(map(heals, ids)) / len(ids) < 0.55


def test_nothing_was_spoilt_before_there_is_a_file(tmp_path) -> None:
    assert counted(tmp_path / FILE) == dict.fromkeys(KINDS, 0)


def test_the_models_are_laid_out_as_triton_wants_them_and_know_no_drills(tmp_path) -> None:
    folder = shims.assemble(ROOT / "models" / "llm", tmp_path / "模型")
    for model, side in (("llm_prefill", "publisher=partial(SpoilingPublisher"), ("llm_decode", "puller=partial(SpoilingPuller")):
        assert (folder / model / "config.pbtxt").read_bytes() == (ROOT / "models" / "llm" / model / "config.pbtxt").read_bytes()
        code = folder / model / "1"
        assert side in (code / "model.py").read_text()
        for file in code.glob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert not any(name.partition(".")[0] in ("drills", "meshkit", "finmesh") for name in names)
