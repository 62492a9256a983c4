"""accelerators.yaml: what a row may say, and that everything that is wrong is named by row and field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from backends.accelerators import Accelerators, OpenAiRow, TritonRow, parse, read
from backends.fronted import fronted
from backends.settings import FrontedKeys
from backends.triton_engine import TritonEngine
from backends.vllm.decode import VllmDecode
from backends.vllm.keys import ticket_ring
from backends.vllm.prefill import VllmPrefill
from backends.vllm.ticket import TicketKey
from meshkit.config import ServiceConfig
from meshkit.crypto.derive import TICKETS, development
from meshkit.crypto.ring import Ring
from meshkit.errors import FailedPrecondition, InvalidDocument

DIGEST = "a" * 64
OPENAI = {
    "name": "vllm-a",
    "kind": "openai",
    "url": "http://127.0.0.1:8000",
    "roles": ["generate"],
    "vendor": "nvidia",
    "device": "h200",
    "model": "通义千问-7b",
    "model_digest": DIGEST,
    "rows": 8,
    "max_len_tokens": 4096,
    "memory_bytes": 1 << 30,
    "zone": "上海-1",
    "highest_grade": "L3",
    "price_per_hour_minor": 1200,
    "rated_power_w": 700,
}
TRITON = {"name": "own", "kind": "triton", "url": "127.0.0.1:18011", "roles": ["decode"], "options": {"pid_file": "/run/triton.pid"}}
OIP = OPENAI | {
    "name": "ascend-1",
    "kind": "oip",
    "url": "127.0.0.1:9000",
    "options": {"served_model": "llm", "input_ids": "IDS", "output_ids": "OUT", "max_tokens": "MAX"},
}


def parsed(*rows: object) -> Accelerators:
    return parse(json.dumps({"version": "1", "accelerators": list(rows)}, ensure_ascii=False).encode())


def problem(*rows: object) -> str:
    with pytest.raises(InvalidDocument) as caught:
        parsed(*rows)
    assert caught.value.reason == "ACCELERATORS_INVALID"
    return caught.value.message


def test_rows_are_read_and_chosen_by_role() -> None:
    both = OPENAI | {"name": "pd", "kind": "vllm", "roles": ["prefill", "decode"], "url": "http://localhost:8001"}
    found = parsed(TRITON, OPENAI, OIP, both)
    row = found.rows[1]
    assert isinstance(found.rows[0], TritonRow) and isinstance(row, OpenAiRow)
    assert (row.digest, row.grade, row.model, row.zone) == (bytes.fromhex(DIGEST), 3, "通义千问-7b", "上海-1")
    assert [each.worker_id(role) for each, role in found.of("decode", "generate")] == ["own", "vllm-a", "ascend-1", "pd.decode"]
    assert [each.worker_id(role) for each, role in found.of("prefill")] == ["pd.prefill"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "tgi"}, "accelerators[0] (vllm-a): kind: must be triton, vllm, openai, oip or openvino"),
        ({"colour": "red"}, "accelerators[0] (vllm-a): colour: Extra inputs are not permitted"),
        ({"rows": True}, "rows"),
        ({"rows": "8"}, "rows"),
        ({"rows": 0}, "rows"),
        ({"model_digest": DIGEST.upper()}, "model_digest"),
        ({"highest_grade": "L6"}, "highest_grade"),
        ({"highest_grade": 3}, "highest_grade"),
        ({"roles": ["prefill"]}, "roles: an engine of this kind can be generate"),
        ({"roles": []}, "roles"),
        ({"roles": ["generate", "generate"]}, "roles: one occurs twice"),
        ({"price_per_hour_minor": 1.5}, "price_per_hour_minor"),
        ({"rated_power_w": float("1e9")}, "rated_power_w"),
        ({"name": "Über"}, "name"),
        ({"url": "http://10.0.0.7:8000"}, "url: clear text is for loopback"),
        ({"url": "http://0.0.0.0:8000"}, "url: clear text is for loopback"),
        ({"url": "http://127.0.0.1.evil.invalid:8000"}, "url: clear text is for loopback"),
        ({"url": "https://10.0.0.7:8000"}, "authority_file: is for https, which needs it"),
        ({"url": "http://127.0.0.1:1", "authority_file": "/ca.pem"}, "authority_file: is for https"),
        ({"url": "http://user:geheim@127.0.0.1:1"}, "without user"),
        ({"url": "http://127.0.0.1:1?key=geheim"}, "without user"),
        ({"url": "file:///etc/passwd"}, "must be http://"),
        ({"url": "http://127.0.0.1:99999"}, "is no URL"),
        ({"url": "http://[::1"}, "is no URL"),
        ({"certificate_file": "/c.pem"}, "certificate_file and key_file: both or none"),
        ({"token": "geheim"}, "token: Extra inputs"),
        ({"token_file": 7}, "token_file"),
        ({"options": {"first_s": -1}}, "options.first_s"),
        ({"options": {"lacks": ["EVERYTHING"]}}, "options.lacks"),
        ({"kind": "triton"}, "vendor: Extra inputs"),
        (OIP | {"url": "10.0.0.7:9000"}, "url: clear text is for loopback"),
        (OIP | {"url": "unix:/run/a.sock", "authority_file": "/ca.pem", "key_file": "/k"}, "certificate_file and key_file: both or none"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, object], said: str) -> None:
    text = problem(OPENAI | change)
    assert text.startswith("accelerators[0] (")
    assert said in text
    assert "geheim" not in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"input_text": "TEXT"}, "input_ids or input_text: one of them"),
        ({"output_ids": ""}, "output_ids or output_text: one of them"),
        ({"max_tokens": ""}, "max_tokens: an answer has to be bounded"),
        ({"max_tokens": "IDS"}, "two roles have one tensor"),
        ({"served_model": ""}, "served_model"),
        ({"input_ids": "a b"}, "input_ids"),
    ],
)
def test_a_mapping_says_enough(change: dict[str, object], said: str) -> None:
    assert said in problem(OIP | {"options": OIP["options"] | change})  # type: ignore[operator]


def test_everything_that_is_wrong_is_told_at_once() -> None:
    text = problem(OPENAI | {"rows": 0, "zone": ""}, "row", OIP | {"name": "x y"})
    assert all(said in text for said in ("[0] (vllm-a): rows", "[0] (vllm-a): zone", "accelerators[1]", "[2] (x y): name"))


def test_nothing_is_there_twice() -> None:
    assert "(vllm-a): name: occurs twice" in problem(OPENAI, OPENAI | {"url": "http://127.0.0.1:8001"})
    assert "url: vllm-a is the same engine" in problem(OPENAI, OPENAI | {"name": "other", "url": "HTTP://127.0.0.1:8000/"})
    parsed(OPENAI, OPENAI | {"name": "other", "options": {"served_model": "second"}})


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"version: '1'\naccelerators: []", b"version: 1\naccelerators: [{}]", b"\xff", b"version: '2'\naccelerators: [{}]",
     b"version: '1'\naccelerators: [{}]\nmore: 1", b"version: '1'\naccelerators: [{name: a, name: b}]"],
)  # fmt: skip
def test_what_is_no_table_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidDocument):
        parse(content)


def test_a_token_is_read_from_its_file_each_time(tmp_path: Path) -> None:
    file = tmp_path / "token"
    row = parsed(OPENAI | {"token_file": str(file)}).rows[0]
    assert isinstance(row, OpenAiRow)
    for content in (b"", b"two words", "口令".encode(), b"x" * 9000):
        file.write_bytes(content)
        with pytest.raises(FailedPrecondition) as caught:
            row.token()
        assert (caught.value.reason, caught.value.message) == ("TOKEN_UNREADABLE", "row vllm-a: token_file holds no token")
    for token in ("first", "second"):
        file.write_text(token + "\n", encoding="ascii")
        assert row.token() == token


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        read(tmp_path / "missing.yaml")
    assert (caught.value.reason, str(tmp_path) in caught.value.message) == ("ACCELERATORS_INVALID", True)


def test_a_row_of_our_own_engine_is_an_entry_of_engines(tmp_path: Path) -> None:
    file = tmp_path / "accelerators.yaml"
    file.write_text(json.dumps({"version": "1", "accelerators": [TRITON]}), encoding="utf-8")
    (engine,) = fronted(read(file).of("decode", "generate"), "llm_decode", None)
    assert isinstance(engine, TritonEngine)
    assert not fronted(read(file).of("prefill"), "llm_prefill", None)


VLLM = OPENAI | {"kind": "vllm", "roles": ["decode"]}
REMOTE = VLLM | {"url": "https://10.1.2.3:8000", "authority_file": "/ca.pem"}
NEAR = {"kv_events": "tcp://127.0.0.1:5557", "kv_replay": "tcp://[::1]:5558"}


@pytest.mark.parametrize(
    ("row", "options", "told"),
    [
        (VLLM, {"lease_s": 21.0}, "lease_s: two thirds"),
        (VLLM, {"lease_s": 20.0, "engine_lease_s": 29.0}, "lease_s: two thirds"),
        (VLLM, {"kv_events": "tcp://*:5557"}, "kv_events: nothing protects it"),
        (VLLM, {"kv_events": "tcp://0.0.0.0:5557"}, "kv_events: nothing protects it"),
        (VLLM, {"kv_events": "udp://127.0.0.1:5557"}, "kv_events: nothing protects it"),
        (VLLM, {"kv_events": "ipc://"}, "kv_events: nothing protects it"),
        (VLLM, {"kv_events": "tcp://127.0.0.1:1", "kv_replay": "tcp://10.1.2.3:2"}, "kv_replay: nothing protects it"),
        (VLLM, {"kv_replay": "tcp://127.0.0.1:2"}, "kv_replay: is for kv_events"),
        (VLLM | {"roles": ["prefill", "decode"]}, NEAR, "kv_events: one process can bind it"),
        (REMOTE, {}, "network: keys and values travel in clear"),
        (REMOTE | {"roles": ["prefill"]}, {"network": "host"}, "network: keys and values travel in clear"),
        (VLLM, {"network": "trusted"}, "network"),
    ],
)
def test_a_pair_of_vllm_that_would_be_unsafe(row: dict[str, object], options: dict[str, object], told: str) -> None:
    assert told in problem(row | {"options": options})


@pytest.mark.parametrize(
    ("row", "options"),
    [
        (VLLM, NEAR),
        (VLLM, {"kv_events": "ipc:///run/kv"}),
        (VLLM, {"lease_s": 2.0, "engine_lease_s": 3.0}),
        (REMOTE, {"network": "encrypted"}),
        (REMOTE | {"roles": ["generate"]}, {}),
    ],
)
def test_a_pair_of_vllm_that_is_right(row: dict[str, object], options: dict[str, object]) -> None:
    parsed(row | {"options": options})


class Ended:
    """A service that opens key rings."""

    def __init__(self) -> None:
        self.opened: list[Path | None] = []

    def ring(self, path: Path | None, purpose: str, make: Any, reload_s: float) -> Ring[TicketKey]:
        self.opened.append(path)
        return Ring(development(purpose), make)


def ring_of(*rows: object, tickets: Path | None = None, **config: Any) -> tuple[Ring[TicketKey] | None, list[Path | None]]:
    service: Any = Ended()
    found = ticket_ring(ServiceConfig(**config), FrontedKeys(tickets=tickets), service, parsed(*rows).of("prefill", "decode", "generate"))
    return found, service.opened


def test_the_key_of_tickets_is_for_whoever_has_such_a_row() -> None:
    assert ring_of(OPENAI, TRITON, VLLM | {"roles": ["generate"], "name": "v", "url": "http://127.0.0.1:8001"}) == (None, [])
    ring, opened = ring_of(VLLM, tickets=Path("/tickets.json"))
    assert ring is not None and opened == [Path("/tickets.json")]
    for row in (OPENAI, TRITON, VLLM | {"roles": ["generate"]}):
        with pytest.raises(FailedPrecondition) as caught:
            ring_of(row, tickets=Path("/tickets.json"))
        assert caught.value.reason == "TICKET_KEYS_UNNEEDED"


def test_outside_of_loopback_everybodys_key_is_none() -> None:
    assert ring_of(VLLM, listen="127.0.0.1:0")[1] == [None]
    assert ring_of(VLLM, listen="0.0.0.0:50082", allow_development_keys=True)[1] == [None]
    with pytest.raises(FailedPrecondition) as caught:
        ring_of(VLLM, listen="0.0.0.0:50082")
    assert caught.value.reason == "TICKET_KEYS_MISSING"


def test_a_row_of_vllm_is_an_engine_for_each_role() -> None:
    ring = Ring(development(TICKETS), TicketKey.make)
    rows = parsed(VLLM | {"roles": ["prefill", "decode"]})
    (p,), (d,) = fronted(rows.of("prefill"), "", ring), fronted(rows.of("decode"), "", ring)
    assert (type(p), type(d)) == (VllmPrefill, VllmDecode)
    with pytest.raises(FailedPrecondition) as caught:
        fronted(rows.of("decode"), "", None)
    assert caught.value.reason == "KIND_UNSUPPORTED"
