"""Texts that are made to take long: walls of what some pattern begins with, of almost everything, of encodings in encodings."""

from __future__ import annotations

import base64
from random import Random

DIGITS, LETTERS, NUMERALS = "0123456789", "ABCDEFGHJKLMNPRSTUVWXYZ", "零一二三四五六七八九"
PIECES = (
    *("1", "1 ", "4 ", "4111 ", "4111111111111111 ", "4111 1111 1111 1111\n", "1      ", "1\n", "1😀", "1\u200b", "1\u0336", " ", "-"),
    *(
        "11010519491231002X ",
        "110105194912310021 ",
        "110105 19491231 0021 ",
        "13812345678 ",
        "138 1234 5678 ",
        "010-62345678 ",
        "861381234567 ",
    ),
    *("2026-11-22 ", "22:55:52 ", "1,234.56 ", "127.0.0.1 ", "0197f3a2-1b37-795c-8274-150130d4fef6 ", "9f86d081884c7d659a2feaa0c55ad015 "),
    *(
        "0000000000-a",
        "a0000000000",
        "@",
        "a@",
        "a@b.",
        "a@b.cn ",
        "a.",
        "aaaaaaaaa @b.cn ",
        "AB12",
        "DE89 ",
        "DE89 3704 0044 0532 0130 00 ",
    ),
    *(
        "%25",
        "%31",
        "a%31",
        "%252525252531",
        "4 4 4 4 4 4 4 4 4 4 %252525252531",
        "\\u0031",
        "\\",
        "\\\\",
        "&#49;",
        "&",
        "&amp;amp;",
        "&#x31;4 ",
    ),
    *(
        "1M8GDM9AXKP042788 ",
        "1M8GDM9A1KP042788 ",
        "9144030071526726XG ",
        "9144030071526726XA ",
        "HWUPKR0MPOU8FGXBT394 ",
        "HWUPKR0MPOU8FGXBT395 ",
    ),
    *(
        "A123456(3) ",
        "A1234563 ",
        "香港A1234563 ",
        "京A12345 ",
        "京A",
        "京",
        "一",
        "①",
        "⑫",
        "⑫\u200b",
        "ﷺ",
        "\u200b",
        "😀👨\u200d👩",
        "é",
        "e\u0301",
    ),
    *(
        "eyJ",
        "eyJ.",
        "eyJaaaaaaaaaaa.",
        "-----BEGIN A KEY-----",
        "-----BEGIN A KEY-----\nAAAA",
        "-----BEGIN A KEY-----\n-----END A KEY-----\n",
    ),
    *(
        "://",
        "a://b:c",
        "@://:",
        "://a:b@c ",
        "bearer ",
        "bearer a1b2c3d4 ",
        "basic YTpi ",
        "password=",
        "password=aaaaaa ",
        "token: ",
        "密码：",
    ),
    *(
        "护照E12345678 ",
        "护照",
        "passport ",
        "E12345678 ",
        "通行证",
        "AKIA",
        "sk-",
        "NDExMSAxMTExIDExMTEgMTExMg== ",
        "QUFBQUFBQUFBQUFB ",
        "aaaaaaaaaaaaaaaa/",
    ),
)
MIXES = {
    "digits": tuple(DIGITS),
    "digits and spaces": tuple(digit + " " for digit in DIGITS),
    "digits and separators": tuple(digit + separator for digit in DIGITS for separator in " -.,"),
    "letters": tuple(LETTERS),
    "letters and digits": tuple(LETTERS + LETTERS.lower() + DIGITS),
    "numerals": tuple(NUMERALS),
    "numerals and commas": tuple(numeral + "、" for numeral in NUMERALS),
    "numerals and digits": tuple(numeral + digit for numeral in NUMERALS for digit in DIGITS),
    "full width": tuple("０１２３４５６７８９"),
    "other digits": tuple("٠١٢٣٤٥٦٧٨٩"),
}


def walls(size: int, seed: int = 1) -> dict[str, str]:
    """Return them by name, each of ``size`` characters; each also with one escape in it."""
    random = Random(seed)

    def words(alphabet: str, length: int) -> str:
        return "".join("".join(random.choices(alphabet, k=length)) + " " for _ in range(size // (length + 1) + 1))[:size]

    made = {repr(piece): (piece * (size // len(piece) + 1))[:size] for piece in PIECES}
    made |= {name: "".join(random.choices(pieces, k=size))[:size] for name, pieces in MIXES.items()}
    made |= {f"groups of {length} digits": words(DIGITS, length) for length in (2, 4, 6, 8, 11, 16, 18)}
    made |= {f"words of {length}": words(LETTERS, length) for length in (17, 18, 20)}
    made |= {f"words of {length} with digits": words(LETTERS + DIGITS, length) for length in (9, 16, 17, 18, 20, 22)}
    made["groups of any size"] = "".join(f"{random.randrange(10 ** random.randrange(1, 9))} " for _ in range(size))[:size]
    made["dots after @"] = ("@" + "a." * size)[:size]
    made["base64 of digits"] = _nested("4 1 " * (size // 8 + 1), size)
    made["base64 of base64"] = _nested("1 2 3 4 5 6 7 8 9 0 ", size)
    made["base64 of escapes"] = _nested("%2531" * (size // 16 + 1), size)
    return made | {f"{name} and an escape": "%31" + text[3:] for name, text in made.items()}


def _nested(text: str, size: int) -> str:
    while len(text) * 4 // 3 + 4 < size:
        text = base64.b64encode(text.encode()).decode()
    return (text + " ").ljust(size, "A")


def mixes(size: int, count: int, seed: int = 1) -> dict[str, str]:
    """Return walls of some pieces in a row: what hits several recognisers at once costs more than what hits one."""
    random = Random(seed)
    words = [piece.strip() for piece in PIECES if 0 < len(piece.strip()) <= 12]
    rows = ["".join(random.choices(words, k=random.randrange(2, 6))) for _ in range(count)]
    return {repr(row): (row * (size // len(row) + 1))[:size] for row in rows}
