"""Identifiers that are nobody's, with right check digits.

These are worked out here on their own, so that the benchmark is no mirror of what it measures.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from random import Random

DIGITS = "0123456789"
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
REGIONS = ("110105", "310115", "440305", "330106", "510104", "420111", "320508", "610113", "210202", "370203")
AREAS = ("010", "021", "020", "0755", "0571", "028", "0512", "0411")
CARDS = (
    *(("622202", 19), ("621700", 19), ("625912", 16), ("622848", 19), ("621226", 18), ("622588", 16)),
    *(("411111", 16), ("545500", 16), ("378282", 15), ("955880", 19), ("353011", 16), ("456351", 19)),
)
PLATES = "京沪粤浙川鄂苏陕辽鲁"


def digits(random: Random, count: int) -> str:
    """Random digits."""
    return "".join(random.choices(DIGITS, k=count))


def _solve(make: Callable[[str], str], right: Callable[[str], bool], alphabet: str) -> str:
    """The text with the one last character that makes it right."""
    return next(text for text in map(make, alphabet) if right(text))


def _luhn(text: str) -> bool:
    total = 0
    for place, character in enumerate(text[::-1]):
        for digit in str(int(character) * (1 + place % 2)):
            total += int(digit)
    return total % 10 == 0


def card(random: Random) -> str:
    """A bank card: UnionPay mostly."""
    first, size = random.choice(CARDS)
    body = first + digits(random, size - len(first) - 1)
    return _solve(lambda last: body + last, _luhn, DIGITS)


def _born(random: Random) -> str:
    return (date(1945, 1, 1) + timedelta(days=random.randrange(25_000))).strftime("%Y%m%d")


def resident_id(random: Random) -> str:
    """A resident's identity number."""
    body = random.choice(REGIONS) + _born(random) + digits(random, 3)
    weights = [pow(2, 17 - place, 11) for place in range(17)]
    left = sum(weight * int(digit) for weight, digit in zip(weights, body, strict=True))
    return _solve(lambda last: body + last, lambda text: (left + (10 if text[-1] == "X" else int(text[-1]))) % 11 == 1, DIGITS + "X")


def uscc(random: Random) -> str:
    """A unified social credit code."""
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    organisation = random.choice(("MA", "")) + digits(random, 6)
    organisation = organisation.ljust(8, random.choice(DIGITS))
    left = sum(int(c, 36) * w for c, w in zip(organisation, (3, 7, 9, 10, 5, 8, 4, 2), strict=True))
    check = _solve(lambda last: last, lambda last: (left + (10 if last == "X" else int(last))) % 11 == 0, DIGITS + "X")
    body = "91" + random.choice(REGIONS) + organisation + check
    total = sum(alphabet.index(c) * 3**place for place, c in enumerate(body))
    return _solve(lambda last: body + last, lambda text: (total + alphabet.index(text[-1])) % 31 == 0, alphabet)


def mobile(random: Random) -> str:
    """A mobile number of mainland China."""
    return random.choice(("138", "139", "150", "159", "177", "186", "199", "135")) + digits(random, 8)


def landline(random: Random) -> str:
    """A landline with its area code."""
    area = random.choice(AREAS)
    return f"{area}-{random.choice('2345678')}{digits(random, 7)}"


def passport(random: Random) -> str:
    """A Chinese passport."""
    return random.choice((f"E{digits(random, 8)}", f"E{random.choice('ABCDEFGH')}{digits(random, 7)}"))


def permit(random: Random) -> str:
    """A permit for Hong Kong and Macau."""
    return f"{random.choice('CHM')}{digits(random, 8)}"


def vin(random: Random) -> str:
    """A vehicle."""
    values = dict(zip("ABCDEFGH" + "JKLMNPR" + "STUVWXYZ", [*range(1, 9), 1, 2, 3, 4, 5, 7, 9, *range(2, 10)], strict=True))
    first, serial = (
        random.choice(("LSVAU033", "LFV3A24G", "1M8GDM9A", "WBA3B1C5", "LGBH52E0")),
        f"{random.choice('GHJKLMNP')}P{digits(random, 6)}",
    )

    def right(text: str) -> bool:
        weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
        total = sum(w * (int(c) if c.isdigit() else values[c]) for w, c in zip(weights, text, strict=True))
        return total % 11 == (10 if text[8] == "X" else int(text[8]))

    return _solve(lambda check: first + check + serial, right, DIGITS + "X")


def plate(random: Random) -> str:
    """A licence plate, of petrol or of a battery."""
    return (
        random.choice(PLATES)
        + random.choice("ABCDEF")
        + random.choice((f"{random.choice(LETTERS)}{digits(random, 4)}", f"D{digits(random, 5)}"))
    )


def _mod_97(text: str) -> int:
    left = 0
    for character in text:
        for digit in str(int(character, 36)):
            left = (left * 10 + int(digit)) % 97
    return left


def lei(random: Random) -> str:
    """A legal entity."""
    body = digits(random, 4) + "00" + "".join(random.choices(DIGITS + LETTERS, k=12))
    return f"{body}{98 - _mod_97(body + '00'):02d}"


def iban(random: Random) -> str:
    """An account in Germany."""
    body = digits(random, 18)
    return f"DE{98 - _mod_97(body + 'DE00'):02d}{body}"


def hkid(random: Random) -> str:
    """An identity card of Hong Kong."""
    letter, body = random.choice("ABCDEGHKPRVYZ"), digits(random, 6)
    left = 36 * 9 + int(letter, 36) * 8 + sum(int(d) * w for d, w in zip(body, range(7, 1, -1), strict=True))
    check = _solve(lambda last: last, lambda last: (left + int(last, 16)) % 11 == 0, DIGITS + "A")
    return f"{letter}{body}({check})"


def email(random: Random) -> str:
    """An address."""
    name = random.choice(("zhang.wei", "li_na", "wangfang88", "j.smith", "marie-curie", "chen"))
    return f"{name}{random.randrange(1000)}@{random.choice(('example.com', 'mail.example.cn', 'example.org', 'qq.example.com'))}"


def _token(random: Random, size: int) -> str:
    return "".join(random.choices(DIGITS + LETTERS + LETTERS.lower(), k=size))


def jwt(random: Random) -> str:
    """A signed token."""
    return f"eyJhbGciOiJFUzI1NiJ9.eyJzdWIi{_token(random, 20)}.{_token(random, 40)}"


def api_key(random: Random) -> str:
    """A key of a cloud."""
    return random.choice(
        (f"AKIA{''.join(random.choices(LETTERS + DIGITS, k=16))}", f"sk-{_token(random, 40)}", f"LTAI{_token(random, 20)}")
    )


def pem(random: Random) -> str:
    """A private key."""
    lines = "\n".join(_token(random, 64) for _ in range(3))
    return f"-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----"
