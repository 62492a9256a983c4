"""Texts with identifiers in known places: half Chinese, written plainly and in every disguise, among numbers that only look like some.

The seed is the corpus: the same texts on every machine.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from pii import Kind

from bench import pii_identifiers as make

SEPARATORS = (
    " ",
    "-",
    ".",
    "\n",
    ",",
    "，",
    "·",
    "—",
    "😀",
    " - ",
    "\u3000",
    "/",
    "_",
    "、",
    "👨\u200d👩\u200d👧",
    "\r\n  ",
    "\u00a0",
    "…",
)
INVISIBLE = ("\u200b", "\u200d", "\ufeff", "\u2060", "\u00ad", "\u202e")
SCRIPTS = (
    "０１２３４５６７８９",
    "〇一二三四五六七八九",
    "零壹貳參肆伍陸柒捌玖",
    "零壹贰叁肆伍陆柒捌玖",
    "零幺二三四五六七八九",
    "٠١٢٣٤٥٦٧٨٩",
    "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗",
)
GENERATORS: dict[Kind, Callable[[Random], str]] = {
    Kind.CARD: make.card,
    Kind.RESIDENT_ID: make.resident_id,
    Kind.MOBILE: make.mobile,
    Kind.LANDLINE: make.landline,
    Kind.USCC: make.uscc,
    Kind.PASSPORT: make.passport,
    Kind.PERMIT: make.permit,
    Kind.VIN: make.vin,
    Kind.PLATE: make.plate,
    Kind.LEI: make.lei,
    Kind.IBAN: make.iban,
    Kind.HKID: make.hkid,
    Kind.EMAIL: make.email,
}
SECRETS = (make.jwt, make.api_key, make.pem)
LABELS = {
    Kind.CARD: ("卡号", "付款卡：", "card ", "paid with "),
    Kind.RESIDENT_ID: ("身份证号", "证件：", "resident id ", "holder "),
    Kind.MOBILE: ("手机", "请致电", "call ", "mobile: "),
    Kind.LANDLINE: ("座机", "电话：", "office ", "tel. "),
    Kind.PASSPORT: ("护照号码：", "持护照", "passport no. ", "Passport: "),
    Kind.PERMIT: ("港澳通行证号", "通行证：", "travel permit ", "permit no. "),
}
OTHERS = ("编号为", "登记：", "registered as ", "see ")
CHINESE = (
    "客户于本周一提交了变更申请，经办人员已经核对原件并留存影像。",
    "该笔交易触发了夜间大额规则，评分高于阈值，已转人工复核。",
    "请于三个工作日内补充材料，逾期系统将自动关闭工单。",
    "网点反馈柜面系统响应变慢，初步判断与批量任务重叠有关。",
    "风险部门认为，一二线城市的欺诈手法正在向县域转移，需要重新训练模型。",
    "对账结果一致，差错为零；监管报表按时报送。",
    "会议决定：第一，统一口径；第二，完善台账；第三，落实责任。",
    "投诉人称从未收到短信验证码，要求说明资金去向。",
)
ENGLISH = (
    "The reviewer confirmed that the merchant was known and released the payment. ",
    "Latency rose while the nightly batch overlapped with peak traffic. ",
    "Please attach the signed form; the case closes by itself after three working days. ",
    "The model answered from the fallback and the decision says so. ",
    "We agreed on one definition of settled, and on who owns the reconciliation. ",
    "Nothing was lost: the consumer went on from the committed offset. ",
    "The customer disputes the charge and asks for a written explanation. ",
    "Two of the rules fired, neither of them severe enough to decline. ",
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A text and what stands in it: (kind, start, end)."""

    text: str
    truth: frozenset[tuple[Kind, int, int]]


def sample(random: Random, *, chinese: bool) -> Sample:
    """One text of some sentences, with up to three identifiers and up to four numbers that are none."""
    sentences = CHINESE if chinese else ENGLISH
    parts: list[str] = [random.choice(sentences)]
    marks: list[tuple[Kind, int, int]] = []
    kinds: list[Kind | None] = [*random.choices([*GENERATORS, Kind.SECRET], k=random.randrange(4)), *([None] * random.randrange(5))]
    random.shuffle(kinds)
    for kind in kinds:
        if kind is None:
            parts.append(f"{'记录' if chinese else 'ref '}{harmless(random)}{'；' if chinese else '; '}")
        else:
            label = random.choice(LABELS.get(kind, OTHERS)[:2] if chinese else LABELS.get(kind, OTHERS)[2:])
            shown, start, end = _disguised(random, kind)
            at = sum(map(len, parts)) + len(label)
            parts += (label, shown, "。" if chinese else " and so on. ")
            marks.append((kind, at + start, at + end))
        parts.append(random.choice(sentences))
    return Sample("".join(parts), frozenset(marks))


def _disguised(random: Random, kind: Kind) -> tuple[str, int, int]:
    """An identifier as it is shown, and what of that is it."""
    if kind is Kind.SECRET:
        text = random.choice(SECRETS)(random)
        return text, 0, len(text)
    text = GENERATORS[kind](random)
    ways: list[Callable[[Random, str], tuple[str, int, int]]] = [_plain, _plain, _invisible]
    if kind in (Kind.CARD, Kind.RESIDENT_ID, Kind.MOBILE):
        ways += [_plain, _grouped, _grouped, _script, _script, _script_grouped]
    if kind in (Kind.CARD, Kind.RESIDENT_ID):
        ways.append(_glued)
    if kind not in (Kind.PASSPORT, Kind.PERMIT, Kind.PLATE, Kind.HKID, Kind.LANDLINE, Kind.EMAIL):
        ways += [_base64, _percent, _utf16, _reference]
    return random.choice(ways)(random, text)


def _whole(text: str) -> tuple[str, int, int]:
    return text, 0, len(text)


def _plain(_: Random, text: str) -> tuple[str, int, int]:
    return _whole(text)


def _groups(random: Random, text: str) -> list[str]:
    sizes = {11: ((3, 4, 4),), 18: ((6, 8, 4), (4, 4, 4, 4, 2), (6, 4, 4, 4)), 15: ((4, 6, 5),)}.get(len(text), ((4, 4, 4, 4, 3),))
    groups, at = [], 0
    for size in random.choice(sizes):
        groups.append(text[at : at + size])
        at += size
    return [group for group in groups if group]


def _grouped(random: Random, text: str) -> tuple[str, int, int]:
    return _whole(random.choice(SEPARATORS).join(_groups(random, text)))


def _script(random: Random, text: str) -> tuple[str, int, int]:
    return _whole(text.translate(str.maketrans(make.DIGITS, random.choice(SCRIPTS))))


def _script_grouped(random: Random, text: str) -> tuple[str, int, int]:
    return _script(random, _grouped(random, text)[0])


def _invisible(random: Random, text: str) -> tuple[str, int, int]:
    return _whole("".join(character + random.choice(INVISIBLE) * (random.random() < 0.3) for character in text[:-1]) + text[-1])


def _glued(random: Random, text: str) -> tuple[str, int, int]:
    before, after = ("".join(random.choices("abcdef", k=random.randrange(4))) for _ in range(2))
    return f"{before}{text}{after if text.isdigit() else ''}", len(before), len(before) + len(text)


def _base64(_: Random, text: str) -> tuple[str, int, int]:
    return _whole(base64.b64encode(text.encode()).decode())


def _percent(_: Random, text: str) -> tuple[str, int, int]:
    return _whole("".join(f"%{ord(character):02X}" for character in text))


def _utf16(_: Random, text: str) -> tuple[str, int, int]:
    return _whole("".join(f"\\u{ord(character):04x}" for character in text))


def _reference(random: Random, text: str) -> tuple[str, int, int]:
    form = random.choice(("&#{};", "&#x{:x};"))
    return _whole("".join(form.format(ord(character)) for character in text))


def _wrong(random: Random, text: str) -> str:
    """The same with another last digit."""
    return text[:-1] + random.choice([digit for digit in make.DIGITS if digit != text[-1]])


def harmless(random: Random) -> str:
    """A number or word that looks like an identifier and is none."""
    raw = random.randbytes(32)
    seconds = 1_700_000_000 + random.randrange(90_000_000)
    day = f"20{random.randrange(20, 27)}{random.randrange(1, 13):02d}{random.randrange(1, 29):02d}"
    time = f"{random.randrange(24):02d}:{random.randrange(60):02d}:{random.randrange(60):02d}"
    whole = random.randrange(10 ** random.randrange(3, 12))
    return random.choice(
        (
            lambda: str(uuid.UUID(bytes=raw[:16], version=4)),
            lambda: str(uuid.UUID(bytes=raw[:16], version=4)).upper(),
            lambda: hashlib.sha1(raw, usedforsecurity=False).hexdigest(),
            lambda: hashlib.sha256(raw).hexdigest(),
            lambda: f"{raw[: random.choice((8, 16))].hex()}",
            lambda: raw.hex()[: random.randrange(7, 13)],
            lambda: f"{whole}.{random.randrange(100):02d}",
            lambda: f"{whole:,}.{random.randrange(100):02d} CNY",
            lambda: f"¥{whole:,}",
            lambda: f"{whole}元",
            lambda: random.choice(("人民币壹万贰仟叁佰肆拾伍元陆角整", "三千五百二十一万元", "二〇二六年十一月二十二日")),
            lambda: f"{day[:4]}-{day[4:6]}-{day[6:]}T{time}.{random.randrange(1000):03d}+08:00",
            lambda: f"{day[:4]}/{day[4:6]}/{day[6:]} {time}",
            lambda: f"{day}{time.replace(':', '')}{random.randrange(1000):03d}",
            lambda: f"{seconds}",
            lambda: f"{seconds}{random.randrange(1000):03d}",
            lambda: f"{seconds}{random.randrange(10**6):06d}",
            lambda: f"{seconds}{random.randrange(10**9):09d}",
            lambda: f"{day}{make.digits(random, random.choice((6, 8, 10, 12)))}",
            lambda: f"{random.choice(('SO', 'PO', 'DD', 'TX'))}{day}{make.digits(random, random.choice((4, 6, 8)))}",
            lambda: f"发票代码{make.digits(random, 12)} 发票号码{make.digits(random, 8)}",
            lambda: f"INV-{day[:4]}-{make.digits(random, 6)}",
            lambda: f"2{random.randrange(4, 7)}{make.digits(random, 18)}",
            lambda: f"10.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(256)}:{random.randrange(1024, 65536)}",
            lambda: _wrong(random, random.choice((make.card, make.resident_id))(random)),
            lambda: f"{make.mobile(random)}77",
            lambda: base64.b64encode(raw).decode(),
            lambda: base64.b64encode(random.choice(ENGLISH).encode()).decode(),
            lambda: f"v{random.randrange(9)}.{random.randrange(30)}.{random.randrange(30)}",
            lambda: f"https://example.com/a%20b?page={random.randrange(100)}&from={seconds}",
            lambda: f"{random.choice(('600', '000', '300'))}{make.digits(random, 3)}.SH",
            lambda: f"00-{raw[:16].hex()}-{raw[16:24].hex()}-01",
            lambda: "\n".join(f"{random.randrange(10**4)}, {random.randrange(10**3)}.{random.randrange(100):02d}" for _ in range(3)),
        )
    )()


def ordinary(random: Random, size: int) -> str:
    """Plain text of this many characters, half Chinese, with the numbers and log lines that such text has."""
    parts: list[str] = []
    length = 0
    while length < size:
        chinese = random.random() < 0.5
        text = random.choice(CHINESE if chinese else ENGLISH)
        if random.random() < 0.4:
            text += f"{'编号' if chinese else 'ref '}{harmless(random)}{'。' if chinese else '. '}"
        parts.append(text)
        length += len(text)
    return "".join(parts)[:size]
