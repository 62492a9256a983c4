"""H11 to H13. What a ticket is good for."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

from engine.handoff import wire
from engine.handoff.claims import Location
from engine.handoff.errors import HandoffError, Refused, TicketRefused
from engine.handoff.layout import Layout
from engine.handoff.link import Link
from engine.handoff.puller import Puller
from engine.handoff.ticket import Expected, Ticket, TicketKey, ticket_codec

from tests.protocol.mutants import assert_fails_without, rewritten, swapped
from tests.unit.engine.handoff.makers import KEY, KEYS, LAYOUT, NAMESPACE, claims, ends, row, tokens


def signed() -> bytes:
    with tempfile.TemporaryDirectory() as folder, ends(Path(folder)) as here:
        return here.published(claims(200), row(1)).sign(KEY)


def refusal(content: bytes) -> str:
    try:
        Ticket.verify(content, KEYS)
    except TicketRefused as refused:
        return refused.reason
    return ""


async def test_h11_what_was_signed_is_what_is_read() -> None:
    def check() -> None:
        content = signed()
        assert refusal(content) == ""
        assert refusal(content.replace(b'"grade":3', b'"grade":2')) == "SIGNATURE_INVALID"
        inside = content[7 + len(KEY.key_id) : -32].replace(b'"grade":3', b'"grade": 3')
        head = content[: 7 + len(KEY.key_id)] + inside
        assert refusal(head + KEY.signature(head)) == "MALFORMED"
        other = TicketKey.of_release(b"root" * 8, "dev-1", "another release")
        assert other.secret != KEY.secret
        assert refusal(Ticket.verify(content, KEYS).sign(other)) == "KEY_UNKNOWN"

    await assert_fails_without(
        "H11",
        check,
        swapped(TicketKey, "signature", lambda self, content: bytes(32)),
        rewritten(ticket_codec, "decode", "if _written(values) != content:", "if False:"),
    )


async def test_h12_a_ticket_is_for_one_request() -> None:
    def check() -> None:
        ticket = Ticket.verify(signed(), KEYS)
        asked = {
            "layout_digest": LAYOUT.digest, "model_digest": b"m" * 32, "tokenizer_digest": b"t" * 32, "request_id": "请求-1",
            "tenant_digest": b"n" * 32, "namespace": NAMESPACE, "grade": 3, "grammar_digest": b"", "seed": 2**63 + 5, "choices": 1,
            "tokens": tokens(200),
        }  # fmt: skip
        ticket.check(Expected(**asked))  # type: ignore[arg-type]
        for changes in ({"tokens": tokens(200, seed=1)}, {"tenant_digest": b"x" * 32}, {"grade": 2}, {"seed": 1}):
            try:
                ticket.check(Expected(**asked | changes))  # type: ignore[arg-type]
            except TicketRefused:
                continue
            raise AssertionError(f"taken for another request: {changes}")

    await assert_fails_without(
        "H12",
        check,
        rewritten(Ticket, "check", 'raise TicketRefused("TOKENS_MISMATCH", "made for another prompt")', "pass"),
        rewritten(Ticket, "check", "raise TicketRefused(reason)", "pass"),
        rewritten(Ticket, "check", 'raise TicketRefused("SAMPLING_MISMATCH")', "pass"),
    )


async def test_h13_another_layout_is_never_tried() -> None:
    other = Layout("float32", 2, 2, 8, 64, b"another layout!!")

    def at_the_door() -> None:
        with tempfile.TemporaryDirectory() as folder, ends(Path(folder)) as here:
            try:
                Link(here.publisher.locations[0], other, None, 5.0).close()
            except Refused as refused:
                assert refused.reason == "LAYOUT_MISMATCH"
            else:
                raise AssertionError("let in")

    def at_the_puller() -> None:
        with tempfile.TemporaryDirectory() as folder, ends(Path(folder)) as here:
            ticket = here.published(claims(200), row(1))
            nowhere = dataclasses.replace(ticket, locations=(Location("tls", "127.0.0.1:9"),))  # whoever tries finds nobody
            try:
                Puller(other).pull(nowhere, row(None))
            except HandoffError as error:
                assert error.reason == "LAYOUT_MISMATCH"

    await assert_fails_without("H13", at_the_door, swapped(wire, "check_hello", lambda body, digest: None))
    await assert_fails_without("H13", at_the_puller, rewritten(Puller, "_begin", 'raise PullFailed("LAYOUT_MISMATCH")', "pass"))
