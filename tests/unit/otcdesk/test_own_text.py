"""The model's own text and what it means."""

from __future__ import annotations

from decimal import Decimal

import pytest
from otcdesk import own_text
from otcdesk.fold import fold
from otcdesk.inquiry import Intent, OptionType, Product, Side
from otcdesk.instruments import Instruments

MASTER = Instruments.read()


def meant(text: str, **values: str) -> object:
    return own_text.inquiry({"intent": "quote", **values}, fold(text), MASTER)


def test_a_whole_inquiry() -> None:
    values = {
        "intent": "quote",
        "product": "vanilla",
        "side": "buy",
        "underlying": "中证500",
        "option": "call",
        "strike": "80",
        "tenor": "1y",
        "notional": "1e7",
    }
    assert own_text.read(own_text.write(values)) == values
    found = own_text.inquiry(values, fold("买 中證５００ 1y 80call 1kw"), MASTER)
    assert (found.intent, found.product, found.side, found.option_type) == (Intent.QUOTE, Product.VANILLA, Side.BUY, OptionType.CALL)
    assert (found.underlying, found.underlying_text) == ("000905.SH", "中證５００")
    assert (found.strike_pct, found.tenor_months, found.notional_cny) == (80, 12, 10_000_000)


@pytest.mark.parametrize(
    ("field", "written", "value"),
    [
        ("notional_cny", {"notional": "2500e4"}, 25_000_000), ("notional_cny", {"notional": "0.1e8"}, 10_000_000),
        ("notional_cny", {"notional": "1234567"}, 1_234_567), ("face_cny", {"face": "5e7"}, 50_000_000),
        ("tenor_months", {"tenor": "2w"}, Decimal("0.5")), ("tenor_months", {"tenor": "45d"}, Decimal("1.5")),
        ("tenor_months", {"tenor": "0.5y"}, 6), ("tenor_months", {"tenor": "18m"}, 18), ("lockup_months", {"lockup": "0m"}, 0),
        ("strike_pct", {"strike": "otm5", "option": "call"}, 105), ("strike_pct", {"strike": "otm5", "option": "put"}, 95),
        ("strike_pct", {"strike": "itm10", "option": "call"}, 90), ("strike_pct", {"strike": "itm10", "option": "put"}, 110),
        ("strike_pct", {"strike": "otm5"}, None), ("strike_pct", {"strike": "0.95x"}, 95),
        ("strike_pct", {"strike": "102.5"}, Decimal("102.5")),
        ("coupon_pct", {"coupon": "1500bp"}, 15), ("yield_pct", {"yield": "235bp"}, Decimal("2.35")),
        ("yield_pct", {"yield": "2.35"}, Decimal("2.35")),
        ("knock_out_pct", {"ki": "103", "ko": "80"}, 103), ("knock_in_pct", {"ki": "103", "ko": "80"}, 80),
        ("knock_in_pct", {"ki": "75"}, 75), ("knock_out_pct", {"ki": "75"}, None),
        ("knock_out_step_pct", {"step": "0.5"}, Decimal("0.5")),
    ],
)  # fmt: skip
def test_values_are_computed_here(field: str, written: dict[str, str], value: object) -> None:
    assert own_text.read(own_text.write({"intent": "quote", **written}))
    assert getattr(meant("x", **written), field) == value


def test_words_that_the_text_does_not_have_are_left_out() -> None:
    for text in ("某某科技雪球", "茅台 五粮液 雪球", "500 1y 1000w"):
        found = meant(text, underlying="沪深300")
        assert (found.underlying, found.underlying_text) == (None, None)  # type: ignore[attr-defined]


def test_the_only_instrument_that_a_text_names_is_meant_where_the_model_miscopied() -> None:
    found = meant("中证５００雪球", underlying="中征500")
    assert (found.underlying, found.underlying_text) == ("000905.SH", "中证５００")  # type: ignore[attr-defined]
    found = meant("比亚迪 3m 平值call", underlying="亚迪")
    assert (found.underlying, found.underlying_text) == ("002594.SZ", "比亚迪")  # type: ignore[attr-defined]
    found = meant("某某科技 比亚迪的对手 3m", underlying="某某科技")
    assert (found.underlying, found.underlying_text) == (None, "某某科技")  # type: ignore[attr-defined]
    found = meant("中证500雪球")
    assert (found.underlying, found.underlying_text) == (None, None)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "copied", "words"),
    [
        ("兴业银行 3m call", "兴业", "兴业银行"), ("假设牧原敲入68%", "假设牧原", "牧原"), ("卖牧原atm 的买权", "牧原a", "牧原"),
        ("我要招商银行股票的put", "招商银行", "招商银行"), ("保利(512279.sh) 110put", "保利", "保利(512279.sh)"),
        ("天岳先进 3m 平值call 300w", "300", None), ("雪球 1000 103/80 锁3", "1000", "1000"),
        ("茅台镇酒业 1y call", "茅台镇酒业", "茅台镇酒业"), ("三一 600031.sh 80call", "600031.sh", "三一 600031.sh"),
        ("002460 赣锋 call", "002460", "002460 赣锋"), ("中铁601390.sh的put", "铁601390.sh", "中铁601390.sh"),
        ("茅台 五粮液 call", "茅台", "茅台"), ("中证500 300 call", "中证500", "中证500"),
    ],
)  # fmt: skip
def test_words_that_were_cut_or_taken_too_long_are_mended(text: str, copied: str, words: str | None) -> None:
    assert meant(text, underlying=copied).underlying_text == words  # type: ignore[attr-defined]


def test_the_only_instrument_is_meant_where_a_product_that_needs_one_has_none() -> None:
    for product, words in (("vanilla", "保利"), ("snowball", "保利"), ("bond", None)):
        assert meant("打算做500万,保利,两周", product=product).underlying_text == words  # type: ignore[attr-defined]
    for text in ("茅台和五粮液 3m call", "500 3m call", "3m call"):
        assert meant(text, product="vanilla").underlying_text is None  # type: ignore[attr-defined]
    assert meant("改成保利", intent="follow_up").underlying_text is None  # type: ignore[attr-defined]


def test_unknown_words_are_kept() -> None:
    found = meant("某某科技 1y", underlying="某某科技")
    assert (found.underlying, found.underlying_text) == (None, "某某科技")  # type: ignore[attr-defined]


def test_several_and_other_state_nothing() -> None:
    found = own_text.inquiry({"intent": own_text.SEVERAL, "side": "buy"}, fold("x"), MASTER)
    assert found.intent is Intent.OTHER and found.is_several and found.side is None
    found = own_text.inquiry({"intent": "other", "side": "buy"}, fold("x"), MASTER)
    assert found.intent is Intent.OTHER and not found.is_several and found.side is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"side":"buy"}',
        '{"side":"buy","intent":"quote"}',
        '{"intent":"sell"}',
        '{"intent":"quote","strike":"abc"}',
        '{"intent":"quote","extra":"1"}',
        '{"intent":"quote","tenor":12}',
        '{"intent":"quote","bond":"12345"}',
    ],
)
def test_what_the_grammar_does_not_promise_is_refused(text: str) -> None:
    with pytest.raises(own_text.OwnTextError):
        own_text.read(text)
