"""Data are read strictly, and what was read of texts is compared field by field, numbers as numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from finmesh.otc.v1 import otc_service_pb2 as otc
from otcdesk.inquiry import Inquiry, Intent, Side

from bench.otc import Case, by_field, is_same, of_message, read_cases, scores


def test_lines_are_read(tmp_path: Path) -> None:
    file = tmp_path / "数据.jsonl"
    file.write_text('{"text":"买","expect":{"intent":"quote"}}\n\n{"text":"","expect":{}}\n', encoding="utf-8")
    assert read_cases(file) == [Case("买", {"intent": "quote"}), Case("", {})]


@pytest.mark.parametrize("line", ["{", "[]", '{"text":"a"}', '{"expect":{}}', '{"text":"a","expect":5}'])
def test_a_wrong_line_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "data.jsonl"
    file.write_text(f'{{"text":"a","expect":{{}}}}\n{line}\n')
    with pytest.raises(ValueError, match="line 2"):
        read_cases(file)


@pytest.mark.parametrize(
    ("wanted", "got", "same"),
    [(10_000_000, 1e7, True), ("12", 12.0, True), (12.1667, 12.5, False), ("buy", "buy", True), ("buy", None, False), (None, None, True),
     (None, 3.0, False), ("000905.SH", "000905.SH", True), (0, 0.0, True), (0, None, False)],
)  # fmt: skip
def test_what_is_the_same(wanted: object, got: object, same: bool) -> None:
    assert is_same(wanted, got) is same


def test_only_expected_fields_count() -> None:
    cases = [Case("a", {"intent": "quote", "side": None}), Case("b", {"intent": "order", "tenor_months": 6})]
    found = [{"intent": "quote", "side": None, "tenor_months": 5.0}, {"intent": "order", "tenor_months": 3.0}]
    assert scores(cases, found) == {"exact_match": 0.5, "field_f1": round(4 / 6, 4)}
    assert scores(cases, [None, None])["exact_match"] == 0


def test_an_answer_and_an_inquiry_are_told_alike() -> None:
    message = otc.Inquiry(intent=otc.INTENT_QUOTE, side=otc.SIDE_BUY, tenor_months=0.5)
    told = of_message(message)
    assert (told["intent"], told["side"], told["tenor_months"], told["product"], told["notional_cny"]) == ("quote", "buy", 0.5, None, None)
    assert by_field(Inquiry(Intent.QUOTE, side=Side.BUY)).keys() == told.keys()
