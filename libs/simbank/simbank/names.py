"""Names of people and merchants, where a message or a screen needs text: Chinese by default, international abroad."""

from simbank.categories import CATEGORIES
from simbank.regions import REGIONS

_SURNAMES_ZH = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧"
_GIVEN_ZH = (
    "伟",
    "芳",
    "秀英",
    "敏",
    "静",
    "丽",
    "强",
    "磊",
    "洋",
    "艳",
    "勇",
    "军",
    "杰",
    "娟",
    "涛",
    "明",
    "超",
    "霞",
    "平",
    "子轩",
    "欣怡",
)
_SURNAMES = ("Smith", "Müller", "Tan", "Garcia", "Nakamura", "Dubois", "Jones", "Okafor", "Rossi", "Kim", "Novák", "O’Brien")
_GIVEN = ("Anna", "James", "Mei Ling", "Sofía", "Haruto", "Claire", "David", "Ngozi", "Luca", "Ji-woo", "Tomáš", "Siobhán")
_SHOPS_ZH = ("鑫源", "百佳", "好运来", "同仁", "华联", "福满堂", "永辉", "天虹", "万家", "新世纪")
_KINDS_ZH = {
    "grocery": "超市", "restaurant": "餐厅", "transport": "交通", "fuel": "加油站", "pharmacy": "药房", "clothing": "服饰",
    "electronics": "数码", "digital goods": "数字娱乐", "general goods": "百货", "travel agency": "旅行社", "hotel": "酒店",
    "jewellery": "珠宝", "utilities": "水电", "cash machine": "自助银行",
}  # fmt: skip


def person_name(number: int, region: int) -> str:
    """The name of customer `number`, whose home is `region`: the same number always has the same name."""
    mixed = (number * 2654435761) & 0xFFFFFFFF
    if REGIONS[region].country in {"CN", "HK", "SG"}:
        return _SURNAMES_ZH[mixed % len(_SURNAMES_ZH)] + _GIVEN_ZH[(mixed >> 8) % len(_GIVEN_ZH)]
    return f"{_GIVEN[mixed % len(_GIVEN)]} {_SURNAMES[(mixed >> 8) % len(_SURNAMES)]}"


def merchant_name(number: int, region: int, category: int) -> str:
    """The trading name of merchant `number`."""
    kind = CATEGORIES[category].name
    if REGIONS[region].country in {"CN", "HK"}:
        return f"{REGIONS[region].name.split()[-1]}{_SHOPS_ZH[number % len(_SHOPS_ZH)]}{_KINDS_ZH[kind]}{number}"
    return f"{_SURNAMES[number % len(_SURNAMES)]} {kind.title()} {number}"
