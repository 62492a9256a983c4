"""Keys of tickets: from the mesh's ring file, for one release, read again when it changes."""

import json
from pathlib import Path

import pytest
from engine.handoff.errors import Refused
from engine.handoff.ticket import TicketKey
from engine.handoff.ticket_keys import TicketKeys
from meshkit.crypto.derive import TICKETS
from meshkit.crypto.ring import RingKeys

OLD, NEW = b"o" * 32, b"n" * 32


def ring(path: Path, primary: str = "2026-11", **keys: bytes) -> Path:
    path.write_bytes(RingKeys(TICKETS, primary, {"2026-11": OLD, **keys}).content())
    return path


def test_keys_of_the_mesh_s_ring_are_those_of_one_release(tmp_path: Path) -> None:
    path = ring(tmp_path / "票据.json")
    here, elsewhere = TicketKeys(path, "smollm2@7"), TicketKeys(path, "smollm2@8")
    assert here.primary == TicketKey.of_release(OLD, "2026-11", "smollm2@7")
    assert here.accepted == {here.primary.key_id: here.primary.secret}
    assert here.primary.secret != elsewhere.primary.secret != OLD
    assert not here.accepted.keys() & elsewhere.accepted.keys()


def test_a_key_is_accepted_before_it_signs(tmp_path: Path) -> None:
    path = ring(tmp_path / "tickets.json")
    here = TicketKeys(path, "r")
    before = here.primary
    ring(path, **{"2026-12": NEW})
    assert len(here.accepted) == 2
    assert here.primary == before
    ring(path, "2026-12", **{"2026-12": NEW})
    assert here.primary == TicketKey.of_release(NEW, "2026-12", "r")
    assert before.key_id in here.accepted


def test_a_spoilt_file_leaves_the_last_good_keys(tmp_path: Path) -> None:
    path = ring(tmp_path / "tickets.json")
    here = TicketKeys(path, "r")
    before = here.primary
    path.write_text("{")
    assert here.primary == before
    path.unlink()
    assert here.primary == before
    ring(path, "2026-12", **{"2026-12": NEW})
    assert here.primary != before


GOOD = {"purpose": "tickets", "primary": "a", "keys": {"a": "00" * 32}}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[" * 50_000,
        json.dumps(GOOD | {"purpose": "seal"}),
        json.dumps(GOOD | {"primary": "b"}),
        json.dumps(GOOD | {"primary": None}),
        json.dumps(GOOD | {"primary": []}),
        json.dumps(GOOD | {"keys": {"a": "00" * 31}}),
        json.dumps(GOOD | {"keys": {"a": 5}}),
        json.dumps(GOOD | {"keys": []}),
        json.dumps(GOOD | {"more": 1}),
        '{"purpose":"tickets","purpose":"tickets","primary":"a","keys":{"a":"' + "00" * 32 + '"}}',
        json.dumps(GOOD) + " " * 70_000,
    ],
)
def test_what_is_no_ring_for_tickets_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tickets.json"
    path.write_text(text)
    with pytest.raises(Refused) as caught:
        TicketKeys(path, "r")
    assert caught.value.reason == "KEYS_INVALID"
    assert "00" * 31 not in str(caught.value)
