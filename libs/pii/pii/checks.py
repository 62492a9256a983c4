"""Check digits and ranges, each by its standard. All take normalised text: ASCII digits, upper-case letters."""

from __future__ import annotations

import re
from calendar import monthrange
from functools import cache
from operator import mul

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_PROVINCES = frozenset(
    str(number)
    for numbers in (range(11, 16), range(21, 24), range(31, 38), range(41, 47), range(50, 55), range(61, 66), (71, 81, 82, 83))
    for number in numbers
)
_DOUBLED = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))
_PLAIN = bytes.maketrans(b"0123456789", bytes(range(10)))
_USCC_CHARACTERS = b"0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_VALUE = bytes.maketrans(_USCC_CHARACTERS, bytes(range(31)))
_USCC_WEIGHTS = tuple(pow(3, i, 31) for i in range(17))
_BASE_36 = bytes.maketrans(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", bytes(range(36)))
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_NUMBER_OF_LETTER = {ord(letter): str(number) for number, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 10)}
_VIN_VALUE = bytes.maketrans(b"0123456789ABCDEFGHJKLMNPRSTUVWXYZ", bytes(map(int, "012345678912345678123457923456789")))
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_IBAN_LENGTHS = {
    row[:2]: int(row[2:])
    for row in re.findall(
        "[A-Z]{2}[0-9]{2}",
        "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18FR27GB22GE22GI23GL18"
        "GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15"
        "OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30",
    )
}
# Issuers by first digits and length (ISO/IEC 7812): UnionPay and the older ranges of Chinese banks first.
_ISSUED = re.compile(
    r"62[0-9]{14,17}|955[0-9]{13,16}|60[0-9]{14}(?:[0-9](?:[0-9]{2})?)?|69[0-9]{14,17}|8[12][0-9]{14,17}|"
    r"4[0-9]{12}(?:[0-9]{3}){0,2}|40551[0-9]{12}|49104[0-9]{12}|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}|"
    r"3[47][0-9]{13}|3(?:0[0-5]|09|[689][0-9])[0-9]{11}|35(?:2[89]|[3-8][0-9])[0-9]{12,15}|6(?:011|4[4-9][0-9]|5[0-9]{2})[0-9]{12,15}|"
    r"5(?:0|[6-8])[0-9]{14,17}|6(?:3|7)[0-9]{14,17}|220[0-4][0-9]{12,15}|9792[0-9]{12}"
)
_DATED = re.compile(r"2[2-7](?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")


def is_luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit (ISO/IEC 7812-1); one digit repeated does not count."""
    raw = digits.encode()
    total = sum(raw[-1::-2].translate(_PLAIN)) + sum(raw[-2::-2].translate(_DOUBLED))
    return total % 10 == 0 and raw.count(raw[:1]) < len(raw)


def is_issued(digits: str, start: int, end: int) -> bool:
    """Whether an issuer gives numbers of these first digits and this length; one digit repeated is nobody's."""
    return _ISSUED.fullmatch(digits, start, end) is not None and digits.count(digits[start], start, end) < end - start


def is_card(digits: str) -> bool:
    """Whether an issuer gives such numbers, and the check digit is right."""
    return digits.isdigit() and is_luhn(digits) and is_issued(digits, 0, len(digits))


def begins_with_a_date(digits: str) -> bool:
    """Whether it looks like an order number (YYMMDD first) as much as like a card of the range 2221 to 2720."""
    return _DATED.match(digits) is not None


def is_date(year: str, month: str, day: str) -> bool:
    """Whether it is a day of 1900 to 2049."""
    y, m = int(year), int(month)
    return 1900 <= y < 2050 and 1 <= m <= 12 and 1 <= int(day) <= _days(y, m)


@cache
def _days(year: int, month: int) -> int:
    return monthrange(year, month)[1]


def is_resident_id(text: str) -> bool:
    """GB 11643: region, date of birth, ISO 7064 MOD 11-2. Also residence permits of Hong Kong, Macau, Taiwan people and foreigners (9…)."""
    if text[:2] not in _PROVINCES and not (text[0] == "9" and text[1:3] in _PROVINCES):
        return False
    if not is_date(text[6:10], text[10:12], text[12:14]):
        return False
    total = sum(map(mul, _ID_WEIGHTS, text[:17].encode().translate(_PLAIN)))
    return "10X98765432"[total % 11] == text[17]


def is_old_resident_id(digits: str) -> bool:
    """The fifteen digits of before 1999: region and date of birth, no check digit."""
    return digits[:2] in _PROVINCES and is_date("19" + digits[6:8], digits[8:10], digits[10:12])


def is_uscc(text: str) -> bool:
    """GB 32100, its eighteen characters from its own alphabet: MOD 31 over all, and the organisation code inside (GB 11714, MOD 11)."""
    if text[2:4] not in _PROVINCES and text[2:4] != "10":  # 100000: registered with the state itself
        return False
    raw = text.encode()
    values = raw.translate(_USCC_VALUE)
    if (31 - sum(map(mul, _USCC_WEIGHTS, values)) % 31) % 31 != values[17]:
        return False
    total = sum(map(mul, _ORGANISATION_WEIGHTS, raw[8:16].translate(_BASE_36)))
    return "0X987654321"[total % 11] == text[16]


def is_vin(text: str) -> bool:
    """GB 16735 / ISO 3779: check digit in the ninth place, a model year in the tenth, a serial number at the end."""
    if not text[13:].isdigit() or text[9] in "0UZ":
        return False
    total = sum(map(mul, _VIN_WEIGHTS, text.encode().translate(_VIN_VALUE)))
    return "0123456789X"[total % 11] == text[8]


def is_lei(text: str) -> bool:
    """ISO 17442: twenty characters, MOD 97-10."""
    return _mod_97(text) == 1


def iban_length(text: str) -> int:
    """Length of the IBANs of the country that a text begins with, 0 for none."""
    return _IBAN_LENGTHS.get(text[:2], 0)


def is_iban(text: str) -> bool:
    """ISO 13616: the length of its country, MOD 97-10."""
    return 0 < len(text) == iban_length(text) and _mod_97(text[4:] + text[:4]) == 1


def is_hkid(letters: str, digits: str, check: str) -> bool:
    """Hong Kong identity card: MOD 11 over one or two letters and six digits."""
    values = [36, *(int(letter, 36) for letter in letters)][-2:] + [int(digit) for digit in digits] + [int(check, 36)]
    return sum(weight * value for weight, value in zip((9, 8, 7, 6, 5, 4, 3, 2, 1), values, strict=True)) % 11 == 0


def _mod_97(text: str) -> int:
    return int(text.translate(_NUMBER_OF_LETTER)) % 97
