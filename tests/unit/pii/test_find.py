"""What is found however it is written, at which characters, and what is left alone."""

import ast
import base64
import sys
from pathlib import Path

import pii
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pii import Certainty, Kind, find, mask

CARD = "6222021234567890128"
RESIDENT = "11010519491231002X"
MOBILE = "13812345678"
GROUPS = ("6222", "0212", "3456", "7890", "128")


def percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def utf16(text: str) -> str:
    raw = text.encode("utf-16-be").hex()
    return "".join(f"\\u{raw[at : at + 4]}" for at in range(0, len(raw), 4))


def decimal(text: str) -> str:
    return "".join(f"&#{ord(character)};" for character in text)


def hexadecimal(text: str) -> str:
    return "".join(f"&#x{ord(character):X};" for character in text)


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def written(text: str, digits: str) -> str:
    return text.translate(str.maketrans("0123456789", digits))


@pytest.mark.parametrize(
    "separator",
    [
        *" -.,/_|:、，。·—–‧•…~*",
        *("\n", "\r\n", "\t", "\u3000", "\u00a0", "\u200b", "\ufeff", "\u2060", "\u202e", "\u00ad", "\ufe0f"),
        *(" - ", "\n    ", ", ", "😀", "👨\u200d👩\u200d👧", "🇨🇳", "👍🏽", "①"[:0] + "★"),
    ],
)
def test_a_card_in_groups(separator: str) -> None:
    text = f"卡{separator.join(GROUPS)}号"
    (found,) = find(text)
    assert (found.kind, found.start, found.end, found.certainty) == (Kind.CARD, 1, len(text) - 1, Certainty.CERTAIN)


@pytest.mark.parametrize(
    "digits",
    [
        "０１２３４５６７８９",
        "〇一二三四五六七八九",
        "零壹貳參肆伍陸柒捌玖",
        "零壹贰叁肆伍陆柒捌玖",
        "零幺两三四五六拐八勾",
        "洞幺二三四五陆七八九",
        *("٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗", "⓪①②③④⑤⑥⑦⑧⑨", "🄋➀➁➂➃➄➅➆➇➈", "〇〡〢〣〤〥〦〧〨〩", "⁰¹²³⁴⁵⁶⁷⁸⁹"),
    ],
)
@pytest.mark.parametrize(("kind", "text"), [(Kind.CARD, CARD), (Kind.RESIDENT_ID, RESIDENT), (Kind.MOBILE, MOBILE)])
def test_digits_of_every_script(kind: Kind, text: str, digits: str) -> None:
    shown = written(text, digits)
    (found,) = find(f"号码{shown}，谢谢")
    assert (found.kind, found.start, found.end) == (kind, 2, 2 + len(shown))


@pytest.mark.parametrize("encode", [percent, utf16, decimal, hexadecimal, b64])
@pytest.mark.parametrize("again", [lambda text: text, percent, utf16, b64, decimal])
@pytest.mark.parametrize(("kind", "text"), [(Kind.CARD, CARD), (Kind.RESIDENT_ID, RESIDENT), (Kind.MOBILE, MOBILE)])
def test_encodings_and_encodings_of_encodings(kind, text, again, encode) -> None:
    shown = again(encode(text))
    (found,) = find(f"见 {shown} 。")
    assert (found.kind, found.start, found.end) == (kind, 2, 2 + len(shown))


PLAIN = {
    Kind.CARD: [
        "30569309025904", CARD, "4111111111111111",
        "378282246310005", "5555555555554444", "3530111333300000", "6011111111111117",
    ],
    Kind.RESIDENT_ID: [
        RESIDENT, "11010519491231002x",
        "110105 19491231 002X", "110105-1949-1231-002 X", "1 1 0 1 0 5 1 9 4 9 1 2 3 1 0 0 2 X",
    ],
    Kind.MOBILE: [MOBILE, "138 1234 5678", "138-1234-5678", "86 13812345678", "008613812345678", "一三八1234五六七八"],
    Kind.LANDLINE: ["010-62345678", "0755 2688 1234", "021.62345678", "0411-2345678", "86-10-6234-5678"],
    Kind.USCC: ["9144030071526726XG", "91330100799655058B", "914403001922038216", "9144030071526726xg"],
    Kind.VIN: ["1M8GDM9AXKP042788", "1m8gdm9axkp042788"],
    Kind.LEI: ["HWUPKR0MPOU8FGXBT394", "5493001KJTIIGC8Y1R12"],
    Kind.IBAN: ["DE89370400440532013000", "DE89 3704 0044 0532 0130 00", "GB82-WEST-1234-5698-7654-32", "gb82west12345698765432"],
    Kind.HKID: ["A123456(3)", "A123456（3）", "Ａ１２３４５６（３）"],
    Kind.PLATE: ["京A12345", "沪A·D1234", "粤B12345D", "京AD12345", "粤Z1234港", "京Ａ１２３４５", "京 A 12345"],
    Kind.EMAIL: ["zhang.san+a@example.com", "ZHANG@EXAMPLE.COM.CN", "zhang@例子.中国", "ｚｈａｎｇ＠ｅｘａｍｐｌｅ．ｃｏｍ"],
    Kind.SECRET: [
        "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln",
        "AKIAIOSFODNN7EXAMPLE",
        "Bearer abcdefghijk.lmn",
        "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\nAAAA\n-----END PRIVATE KEY-----",
        "-----BEGIN EC PRIVATE KEY-----\\nMHcCAQEEIBADANBgkqhkiG9w0BAQ==\\n-----END EC PRIVATE KEY-----",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in PLAIN.items() for text in texts])
@pytest.mark.parametrize(
    ("before", "after"), [("", ""), ("号码：", "。"), ("see ", " and so on"), ("(", ")"), ("“", "”"), ("2026年", "元")]
)
def test_kinds(kind: Kind, text: str, before: str, after: str) -> None:
    if kind is Kind.MOBILE and after == "元":  # that would be an amount
        after = "日"
    (found,) = find(before + text + after)
    assert (found.kind, found.start, found.end) == (kind, len(before), len(before) + len(text))


@pytest.mark.parametrize(
    ("kind", "text", "part"),
    [
        (Kind.PASSPORT, "护照号码：E12345678", "E12345678"),
        (Kind.PASSPORT, "passport no. EA1234567, issued in 2019", "EA1234567"),
        (Kind.PASSPORT, "E12345678（护照）", "E12345678"),
        (Kind.PASSPORT, "持有護照Ｅ１２３４５６７８", "Ｅ１２３４５６７８"),
        (Kind.PERMIT, "往来港澳通行证C12345678", "C12345678"),
        (Kind.PERMIT, "台胞证 12345678", "12345678"),
        (Kind.PERMIT, "回乡证号H1234567801", "H1234567801"),
        (Kind.HKID, "香港身份證A1234563", "A1234563"),
        (Kind.RESIDENT_ID, "身份证：110105491231002", "110105491231002"),
        (Kind.LANDLINE, "电话01062345678", "01062345678"),
        (Kind.SECRET, "postgresql://user:p@ss:w0rd@host/db", "p@ss:w0rd"),
        (Kind.SECRET, "redis://:secret99@cache:6379", "secret99"),
        (Kind.SECRET, "password=hunter2x", "hunter2x"),
        (Kind.SECRET, '{"password": "Tr0ub4dor&3"}', "Tr0ub4dor&3"),
        (Kind.SECRET, "密码：abc12345", "abc12345"),
        (Kind.SECRET, "api_key: 9f86d081884c7d659a2feaa0c55ad015", "9f86d081884c7d659a2feaa0c55ad015"),
        (Kind.SECRET, "Authorization: Basic dXNlcjpwYXNzd29yZA==", "Basic dXNlcjpwYXNzd29yZA=="),
        (Kind.CARD, CARD + "a", CARD),
        (Kind.CARD, "deadbeef" + CARD + "cafe", CARD),
        (Kind.CARD, "ORD" + CARD, CARD),
        (Kind.CARD, "2026 4111 1111 1111 1111", "4111 1111 1111 1111"),
        (Kind.CARD, "账户一" + CARD, CARD),
        (Kind.CARD, "62220\n212345\n67890128", "62220\n212345\n67890128"),
        (Kind.CARD, "a%2520b %36222021234567890128", "%36222021234567890128"),
        (Kind.CARD, "ValueError('6222\\n0212\\n3456\\n7890\\n128')", "6222\\n0212\\n3456\\n7890\\n128"),
        (Kind.CARD, '{"no": "6222\\\\n0212\\\\t3456 7890\\\\r\\\\n128"}', "6222\\\\n0212\\\\t3456 7890\\\\r\\\\n128"),
        (Kind.MOBILE, "%u0031%u0033812345678", "%u0031%u0033812345678"),
        (Kind.MOBILE, "tel13812345678", MOBILE),
        (Kind.MOBILE, "(1-3-8-1-2-3-4-5-6-7-8)", "1-3-8-1-2-3-4-5-6-7-8"),
        (Kind.RESIDENT_ID, "1 1 0 1 0 5 1 9 4 9 1 2 3 1 0 0 2 X", "1 1 0 1 0 5 1 9 4 9 1 2 3 1 0 0 2 X"),
        (Kind.USCC, "代码９１４４０３００７１５２６７２６ＸＧ", "９１４４０３００７１５２６７２６ＸＧ"),
        (Kind.MOBILE, "13812345678a", MOBILE),
    ],
)
def test_what_needs_its_surroundings(kind: Kind, text: str, part: str) -> None:
    (found,) = find(text)
    assert (found.kind, text[found.start : found.end]) == (kind, part)


@pytest.mark.parametrize(
    "text",
    [
        "0197f3a2-1b37-795c-8274-150130d4fef6",
        "01970000-1137-7950-8274-150100040006",
        "62220212-3456-7890-1286-222021234567",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "622202123456789012800000aaaaaaaaaaaaaaaa",
        "6222021234567890128a0000aaaaaaaa",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "2026-11-22 22:55:52.631",
        "2026-11-22T22:55:52+08:00 2026/11/23 10:00",
        "1795312800 1795312800000 1795312800000000 1795312800000000000",
        "20261122225552631",
        "¥13812345678.90",
        "13812345678元",
        "12,345,678,901,234.56",
        "138123456.78",
        "人民币壹万贰仟叁佰肆拾伍元陆角整",
        "二〇二六年十一月二十二日",
        "一、二、三、四、五、六、七、八、九、十、十一、十二",
        "订单号 202611220001234567",
        "SO202611220001234",
        "发票代码 4403192130 发票号码 12345678",
        "24312000000012345678",
        "13, 14, 15, 16, 17, 8",
        "127.0.0.1:50061, 10.197.138.209:36621",
        "110105194912310021 6222021234567890127",
        CARD * 3,
        "finmesh.risk.v1.RiskScoringService/ScoreTransaction",
        "bearer certificates, basic understanding, password required, token: none",
        "react@18.2.0 a@b @scope/package git@",
        "护照已过期，有效期至20301122",
        "VGhlIG1vZGVsIGFuc3dlcmVkIGZyb20gdGhlIGZhbGxiYWNr",
        "https://example.com/a%20b?page=20&from=1795312800",
        "&lt;a href=&quot;x&quot;&gt; &#8203; \\u4ea4\\u6613 \\x41",
        "川A股2024 新SARS 京东",
        "C:\\new\\table\\1234\\n5678 \\number",
        "",
        "短",
    ],
)
def test_what_only_looks_like_it(text: str) -> None:
    assert find(text) == []
    assert mask(text) == text


def test_of_two_readings_the_resident_id_wins() -> None:
    both = "620102199003070069"  # its check digit and Luhn's are right
    assert [finding.kind for finding in find(both)] == [Kind.RESIDENT_ID]


def test_mask_names_kinds_and_keeps_the_rest() -> None:
    text = f"客户{RESIDENT}，卡{'-'.join(GROUPS)}，手机{MOBILE}；金额1,234.56元"
    assert mask(text) == "客户[resident-id]，卡[card]，手机[mobile]；金额1,234.56元"


def test_a_limit_does_not_cut_what_it_masks() -> None:
    text = "x" * 10 + f" {CARD} " + "y" * 100
    assert mask(text, 20) == "x" * 10 + " [card]"
    assert mask(text, 10) == "x" * 10
    assert mask("短文", 1) == "短"


@pytest.mark.parametrize("encode", [percent, utf16, decimal, hexadecimal, lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode())])
@pytest.mark.parametrize("before", ["手机", "é", "😀", "\u0800a", "x", "😀é手x"])
def test_places_are_exact_behind_characters_of_several_bytes(encode, before: str) -> None:
    shown = encode(f"{before}{CARD}号")
    start = len(encode(before))
    (found,) = find(f"a {shown} b")
    assert (found.kind, found.start, found.end) == (Kind.CARD, 2 + start, 2 + start + len(encode(CARD)))


def test_bytes_that_are_no_text_keep_places() -> None:
    text = f"%ff%FE\\ud83d\\\\u0041{percent(CARD)}%80"
    (found,) = find(text)
    assert text[found.start : found.end] == percent(CARD)


def test_a_long_encoded_text_is_read_once_and_nothing_is_missed() -> None:
    body = percent('{"备注": "夜间大额"}') * 60
    text = f"{body}{CARD}{body}{percent(MOBILE)}%20{body} {RESIDENT} {b64(CARD)} tail"
    found = [(finding.kind, text[finding.start : finding.end]) for finding in find(text)]
    assert found == [(Kind.CARD, CARD), (Kind.MOBILE, percent(MOBILE)), (Kind.RESIDENT_ID, RESIDENT), (Kind.CARD, b64(CARD))]


def test_the_standard_library_alone() -> None:
    allowed = {*sys.stdlib_module_names, "pii"}
    imported = {
        name.split(".")[0]
        for path in Path(pii.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert imported and imported <= allowed


@given(st.text(max_size=300))
def test_findings_lie_in_the_text_in_order_and_apart(text: str) -> None:
    end = 0
    for finding in find(text):
        assert end <= finding.start < finding.end <= len(text)
        end = finding.end


ALPHABET = st.sampled_from([*"0123456789", *"aF %&#;\\u25=./-@:xX", "\u200b", "⑫", "１", "一", "，", "😀", "eyJ", "%25", "&#4", "\u0301"])


@given(st.lists(ALPHABET, max_size=60).map("".join))
def test_disguises_that_meet_break_nothing(text: str) -> None:
    for finding in find(text):
        assert 0 <= finding.start < finding.end <= len(text)
    assert isinstance(mask(text), str)


@given(st.text(max_size=100), st.text(max_size=100))
def test_a_card_between_any_letters_never_passes(before: str, after: str) -> None:
    assert CARD not in mask(f"{before}卡{CARD}号{after}")


@given(st.text(alphabet=st.characters(categories=["L", "Zs"], exclude_characters="零〇"), max_size=300))
def test_letters_alone_are_left_alone(text: str) -> None:
    if "eyJ" not in text and not any(numeral in text for numeral in "一二三四五六七八九幺两兩洞拐勾壹弌贰貳弍貮叁參叄叅弎参肆伍陆陸柒捌玖"):
        assert mask(text) == text
