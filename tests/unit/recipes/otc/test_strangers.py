"""What other people wrote (`strangers.jsonl`): its expectations hang together by the desk's rules, and a model that reads it can say it.

How much of it the weights read right, `python -m otc.evaluate --model FOLDER --data FILE` says.
"""

from __future__ import annotations

import json
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from otc import evaluate
from otc.answers import Answer
from otcdesk import guards
from otcdesk.fold import fold
from otcdesk.inquiry import Inquiry, Intent, OptionType, Product, Side
from otcdesk.instruments import Instruments

FILE = Path(__file__).with_name("strangers.jsonl")
CASES: list[dict[str, Any]] = [json.loads(line) for line in FILE.read_text().splitlines()]
MASTER = Instruments.read()
CLOSED: dict[str, type] = {"intent": Intent, "product": Product, "side": Side, "option_type": OptionType}


def test_they_are_many_and_each_once() -> None:
    assert len(CASES) >= 150 and len({case["text"] for case in CASES}) == len(CASES)
    assert {case["expect"]["intent"] for case in CASES} == set(Intent)


@pytest.mark.parametrize("case", CASES, ids=[case["text"][:12].replace("\n", " ") for case in CASES])
def test_expectations_hang_together(case: dict[str, Any]) -> None:
    text, expect = fold(case["text"]), case["expect"]
    guards.check_raw(case["text"])
    guards.check(text)
    assert not guards.is_instructing(text.text)
    assert expect.keys() <= {field.name for field in fields(Inquiry)}
    for name, kind in CLOSED.items():
        assert expect.get(name) in {None, *kind}
    words = expect.get("underlying_text")
    assert words is None or words in case["text"]
    assert (MASTER.resolve(words) if words else None) == expect.get("underlying")
    if expect["intent"] == "other":
        assert expect.keys() == {"intent"}
    if expect.get("product") == "bond":
        assert words is None and "notional_cny" not in expect
    if "option_type" in expect:
        assert expect["product"] == "vanilla"
    if "bond_code" in expect:
        assert expect["product"] == "bond" and expect["bond_code"] in text.text


def test_only_what_is_expected_is_right(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = Inquiry(Intent.QUOTE, notional_cny=Decimal("1e7"), tenor_months=Decimal(20) / 30)
    expect = {"intent": "quote", "notional_cny": 10_000_000, "tenor_months": 0.6666666667}
    assert evaluate.differing(expect, found) == {}
    assert evaluate.differing(expect | {"side": "buy"}, found) == {"side": "None"}
    assert evaluate.differing({"intent": "quote", "notional_cny": 10_000_000}, found).keys() == {"tenor_months"}
    data = tmp_path / "data.jsonl"
    lines = [
        {"text": "撤单", "expect": {"intent": "cancel"}},
        {"text": "中证500", "expect": {"intent": "quote", "underlying": "000905.SH"}},
    ]
    data.write_text("".join(json.dumps(line) + "\n" for line in lines))
    written = [Answer('{"intent":"cancel"}', 0.9), Answer('{"intent":"quote","underlying":"中证500"}', 0.9)]
    monkeypatch.setattr(evaluate, "answers", lambda folder, texts: written)
    report = evaluate.of_people(tmp_path, data)
    assert report["exact_match"] == 0.5 and [each["wrong"] for each in report["wrong"]] == [{"underlying_text": "中证500"}]
