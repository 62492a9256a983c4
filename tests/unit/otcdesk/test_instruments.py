"""Words name one instrument, several or none."""

from __future__ import annotations

import pytest
from otcdesk.instruments import Instruments, InstrumentsError


@pytest.fixture(scope="module")
def master() -> Instruments:
    return Instruments.read()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("中证500", "000905.SH"), ("500", "000905.SH"), ("ZZ500", "000905.SH"), ("ｚｚ５００", "000905.SH"), ("滬深300", "000300.SH"),
        ("000300", "000300.SH"), ("000300.sh", "000300.SH"), ("000905 SH", "000905.SH"), ("茅台", "600519.SH"),
        ("贵州茅台", "600519.SH"), ("貴州茅臺", "600519.SH"), ("600519", "600519.SH"), ("不存在", None), ("", None), ("000001", None),
        ("中证500指数", "000905.SH"), ("茅台股票", "600519.SH"), ("sh600519", "600519.SH"), ("SZ000858", "000858.SZ"),
        ("700.HK", "00700.HK"),
        ("0700 hk", "00700.HK"), ("HK700", "00700.HK"), ("贵州茅台(600519)", "600519.SH"), ("600519 茅台", "600519.SH"),
        ("贵州茅台600519", "600519.SH"), ("600519.SH贵州茅台", "600519.SH"), ("平安银行（000001）", "000001.SZ"), ("茅台(000858)", None),
        ("华泰柏瑞", None), ("茅台 五粮液", None), ("hk", None),
        ("000001.SZ", "000001.SZ"), ("恒指", "HSI.HI"), ("  中证 500 ", "000905.SH"),
        ("阿里09988.hk", "09988.HK"), ("腾讯700hk", "00700.HK"), ("00700.HK腾讯", "00700.HK"),
        ("恒指hsi.hi", "HSI.HI"), ("腾讯09988.hk", None),
    ],
)  # fmt: skip
def test_words_are_resolved(master: Instruments, words: str, code: str | None) -> None:
    assert master.resolve(words) == code


def test_every_name_of_the_master_names_itself_or_several(master: Instruments) -> None:
    for row in master.rows:
        for name in (row.code, row.name, *row.aliases):
            assert row.code in master.codes(name)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("东财三个月平值,看涨", ["东财"]), ("买 中证 500 一年", ["中证 500"]), ("恒科etf 3m", ["恒科etf"]),
        ("贵州茅台(600519.sh) 1kw", ["贵州茅台", "600519.sh"]), ("茅台和五粮液", ["茅台", "五粮液"]), ("无名 3m call", []),
        ("1600519 元", []), ("mybyde 3m", []),
    ],
)  # fmt: skip
def test_the_instruments_that_a_text_names(master: Instruments, text: str, names: list[str]) -> None:
    assert [text[start:end] for start, end in master.named_in(text)] == names


@pytest.mark.parametrize(
    "content",
    [
        "code,name,kind,aliases\n1.SH,a,index,\n1.SH,b,index,",
        "code,name,kind,aliases\n,a,index,",
        "code,name,kind,aliases\n1.SH,a,index,b,c",
    ],
)
def test_a_master_that_cannot_be_meant_is_refused(content: str) -> None:
    with pytest.raises(InstrumentsError):
        Instruments.read(content)
