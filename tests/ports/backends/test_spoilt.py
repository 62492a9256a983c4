"""Hand-offs between real engines, spoilt on purpose: a fault shows as what it is, no token is wrong, the next epoch mends it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest
from backends.triton_engine import TritonEngine
from drills.faults_llm import shims
from drills.faults_llm.shims.kinds import FILE, KINDS, counted, draw, heals
from localmesh.engines import folder_of
from localmesh.launcher import ensure_identity
from localmesh.ports import Ports
from localmesh.supervisor import Mesh
from meshkit.crypto.keyed_ids import uuid7
from meshkit.errors import MeshError

from tests.engines import Engines
from tests.stack import Stack

from .asking import answer, prompt, to_decode, to_prefill, to_reserve
from .conftest import Pair, in_touch

pytestmark = pytest.mark.stack

EXPECTED = {
    ("short_read", False): "PULL_FAILED",
    ("short_read", True): 2,
    ("flipped_bit", False): "PULL_FAILED",
    ("flipped_bit", True): 2,
    ("stale_epoch", None): "FENCED",
    ("version_skew", None): "TICKET_REFUSED",
    ("expired_lease", None): "LEASE_EXPIRED",
    ("overload", None): "OVERLOADED",
}
"""Reason, or how many pulls it took. A fault that heals does so at the second pull."""


@pytest.fixture(scope="module")
def spoiling(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """Two Tritons of this module alone, whose models are the campaign's."""
    places = replace(stack.places, var=stack.places.var / "spoilt")
    places = replace(places, shims=shims.assemble(stack.places.shims, tmp_path_factory.mktemp("shims") / "models"))
    ensure_identity(places)
    engines = Engines(places, Ports.free())
    mesh = stack._run(Mesh(engines.rows, places.var).__aenter__())
    yield engines
    stack._run(mesh.close())


@pytest.fixture
async def pair(spoiling: Engines) -> AsyncIterator[Pair]:
    p = TritonEngine(spoiling.urls["prefill"], "llm_prefill", spoiling.pid_files["prefill"])
    d = TritonEngine(spoiling.urls["decode"], "llm_decode", spoiling.pid_files["decode"])
    async with in_touch(p, d) as feed:
        yield Pair("triton", p, d, feed)


def drawn(kind: str, healing: bool | None) -> str:
    """An id whose hand-off is spoilt in this way."""
    while True:
        handoff_id = uuid7()
        if draw(handoff_id, 1) == kind and healing in (None, heals(handoff_id)):
            return handoff_id


async def handed_over(pair: Pair, tokens: list[int], handoff_id: str, epoch: int) -> tuple[Any, list[tuple[int, int]]]:
    """What the engines say: the reason, or how many pulls it took and the answer from its second token on."""
    reservation_id = uuid7()
    first_block = await pair.decode.reserve(reservation_id, to_reserve(pair, tokens))
    try:
        asked = to_prefill(pair, tokens, handoff_id=handoff_id, epoch=epoch, first_block=first_block)
        published = await pair.prefill.prefill(asked, 10.0)
        ticket = published.response.ticket
        events, found = await answer(pair, to_decode(pair, tokens, ticket=ticket, reservation_id=reservation_id))
    except MeshError as error:
        await pair.decode.release(reservation_id)
        return error.reason, []
    return events[0].committed.pulls, found


@pytest.mark.parametrize(("kind", "healing"), EXPECTED)
async def test_a_fault_shows_as_what_it_is_and_the_next_epoch_mends_it(
    pair: Pair, spoiling: Engines, kind: str, healing: bool | None
) -> None:
    folders = [folder_of(spoiling.places, f"triton-{role}") for role in ("prefill", "decode")]
    before = sum(counted(folder / FILE)[kind] for folder in folders)
    tokens, handoff_id = prompt(150), drawn(kind, healing)
    _, alone = await answer(pair, to_decode(pair, tokens))
    outcome, found = await handed_over(pair, tokens, handoff_id, 1)
    assert outcome == EXPECTED[kind, healing]
    assert found in ([], alone[1:])
    if isinstance(outcome, str):
        assert await handed_over(pair, tokens, handoff_id, 2) == (1, alone[1:])
    assert sum(counted(folder / FILE)[kind] for folder in folders) == before + 1


def test_every_kind_is_tried() -> None:
    assert {kind for kind, _ in EXPECTED} == set(KINDS)
