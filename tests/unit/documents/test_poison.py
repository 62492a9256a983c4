"""Documents made to hurt: each is refused with a reason that fits or read within limits; nothing dies, hangs, leaks or is left behind."""

from __future__ import annotations

import asyncio
import io
import random
import zipfile
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from documents.errors import REASONS, DocumentError
from documents.sandbox import Sandbox
from drills.corpus.poison import POISON, Poison, body, container, word
from drills.corpus.samples import samples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import Parse

WHOLE = {each.name.rpartition(".")[2]: each for each in samples()[:4]}


def outcome(parse: Parse, content: bytes, name: str) -> str:
    """The reason for which it was refused, "" when it was read."""
    try:
        parsed = parse(content, name)
    except DocumentError as error:
        assert error.reason in REASONS
        assert type(error) is REASONS[error.reason]
        return error.reason
    assert "root:" not in repr(parsed)
    assert "alert" not in repr(parsed)
    return ""


@pytest.fixture(autouse=True)
def nothing_is_left(sandbox: Sandbox, parse: Parse) -> Any:
    parse(b"before")
    before = {each.pid for each in psutil.Process().children(recursive=True)}
    yield
    assert parse("之后".encode()).title == "之后"
    assert {each.pid for each in psutil.Process().children(recursive=True)} <= before


@pytest.mark.parametrize("poison", POISON, ids=lambda each: each.name)
def test_poison_is_refused_or_harmless(parse: Parse, poison: Poison) -> None:
    assert outcome(parse, poison.content(), poison.name) in poison.reasons


def test_a_container_that_lies_about_its_sizes(parse: Parse) -> None:
    """The directory says ten bytes; unpacked it would be 64 MiB."""
    content = bytearray(word(body("x"), more={"word/styles.xml": bytes(0x4030201)}))
    at = content.rfind(b"\1\2\3\4")
    content[at : at + 4] = (10).to_bytes(4, "little")
    assert outcome(parse, bytes(content), "a.docx") in {"", "MALFORMED"}


def test_two_entries_of_one_name(parse: Parse) -> None:
    file = io.BytesIO(word(body("x")))
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(file, "a") as archive:
        archive.writestr("word/document.xml", body("y"))
    assert outcome(parse, file.getvalue(), "a.docx") == "MALFORMED"


def test_a_container_of_too_many_entries(parse: Parse) -> None:
    assert outcome(parse, container({f"{at}": b"" for at in range(20_001)}), "a.docx") == "ZIP_BOMB"


@pytest.mark.parametrize("kind", WHOLE)
def test_a_document_cut_off_anywhere(parse: Parse, kind: str) -> None:
    content = WHOLE[kind].content
    for tenth in range(1, 10):
        assert outcome(parse, content[: len(content) * tenth // 10], f"a.{kind}") in {"", "MALFORMED", "PARSER_CRASHED"}


def test_a_document_with_a_tenth_of_its_bytes_changed(parse: Parse) -> None:
    for kind, sample in WHOLE.items():
        for seed in range(4):
            noise, content = random.Random(seed), bytearray(sample.content)
            for _ in range(len(content) // (10 if seed else 1_000)):
                content[noise.randrange(8, len(content))] = noise.randrange(256)
            outcome(parse, bytes(content), f"a.{kind}")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(min_size=1, max_size=400),
    name=st.sampled_from(["a.txt", "a.md", "a.html", "a.csv", "a.pdf", "a.docx", "a.xlsx", "a.png", "a"]),
)
def test_any_bytes_under_any_name(parse: Parse, content: bytes, name: str) -> None:
    outcome(parse, content, name)


MARKS = [
    "# ",
    "|",
    "---",
    "```",
    "<table>",
    "<td colspan=9>",
    "</tr>",
    "<li>",
    "表1：",
    "单位：",
    "第一条",
    "一、",
    "1.1 ",
    "\n",
    "\u3000",
    " ",
    "甲",
    "a",
    ",",
    '"',
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.sampled_from(MARKS), max_size=60), name=st.sampled_from(["a.txt", "a.md", "a.html", "a.csv"]))
def test_any_markup_is_read(parse: Parse, pieces: list[str], name: str) -> None:
    content = "".join(pieces).encode()
    assert outcome(parse, content, name) in ({""} if content else {"EMPTY"})


def test_the_flood_does_not_stop_the_sandbox(loop: Callable[..., Any], sandbox: Sandbox) -> None:
    """Poison and documents side by side: each document is read."""

    async def all_of_them() -> list[Any]:
        bad = [each for each in POISON if each.name in {"recursive.pdf", "laughs.docx", "noise", "deep.docx", "macro.docx"}]
        work = [sandbox.parse(each.content(), each.name) for each in bad] + [sandbox.parse(f"好{at}".encode(), "a.txt") for at in range(10)]
        random.Random(1).shuffle(work)
        return await asyncio.gather(*work, return_exceptions=True)

    done = loop(all_of_them())
    assert {each.title for each in done if not isinstance(each, BaseException)} >= {f"好{at}" for at in range(10)}
    assert all(isinstance(each, DocumentError) for each in done if isinstance(each, BaseException))
