"""How people write times to expiry, each with what the model shall write for it, and dates, which are no tenor."""

from __future__ import annotations

from random import Random

from otc import numbers

_MONTH_NAMES = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
    "march",
    "june",
    "september",
    "december",
)


def tenor(random: Random) -> tuple[str, str]:
    """Return a time to expiry: 3m, 三个月, 一年半, 两周, 45天."""
    makers, weights = zip(*_TENORS, strict=True)
    made: tuple[str, str] = random.choices(makers, weights)[0](random)
    return made


_SLANG = (
    ("俩月", "2m"),
    ("俩个月", "2m"),
    ("仨月", "3m"),
    ("仨个月", "3m"),
    ("a month", "1m"),
    ("a quarter", "3m"),
    ("两月", "2m"),
    ("一个月", "1m"),
)


def _months(random: Random) -> tuple[str, str]:
    if random.random() < 0.06:
        return random.choice(_SLANG)
    number = random.choice((1, 2, 3, 3, 6, 6, 9, 12, 12, 18, 24, 36, random.randint(1, 36)))
    word, said = numbers.counted(number), numbers.english(number)
    return random.choice((
        f"{number}m", f"{number}m", f"{number}个月", f"{number}个月", f"{word}个月", f"{number}个月期", f"{number} months",
        f"{number}mo", f"{word}个月期",
        f"{number}mth", f"{number} m", f"{word}月期", f"{number}月期", f"{word}个月的", f"{number} month", f"{number}mths",
        f"{number}-month", f"{number}m期",
        f"{number} 个月", f"{word}个月", f"{number}mon", f"{number} mths", f"{said} months", f"{said} month", f"{said}-month",
        f"{number}个月整",
        f"{number}个月左右", f"{number}ms", f"{number} mos", f"{number}months",
        f"{number}-mth",
        f"{number}个月内", f"{word}个月这样",
    )), f"{number}m"  # fmt: skip


def _years(random: Random) -> tuple[str, str]:
    number = random.choice((1, 1, 1, 2, 2, 3, 5))
    word, said = numbers.counted(number), numbers.english(number)
    plural = "" if number == 1 else "s"
    return random.choice((
        f"{number}y", f"{number}y", f"{number}年", f"{word}年", f"{word}年期", f"{number}年期", f"{number} year", f"{number}yr",
        f"{word}年", f"{number}-year",
        f"{number} y", f"{word}整年", f"{number}y期", f"{number} 年", f"{number}yrs", f"{number} yr", f"{said} year{plural}",
        f"{number} years", f"{said}-year",
        f"{word}年整", f"{number}年的", f"{word}年左右", f"{number}year", "a year" if number == 1 else f"{said} years",
        f"{word}年的", f"{number}年整", f"{word}年这样",
    )), f"{number}y"  # fmt: skip


def _half_year(random: Random) -> tuple[str, str]:
    return random.choice(
        ("半年", "半年期", "半年", "半年的", "half a year", "half year", "半年左右", "half-year", "半个年头", "0.5年")
    ), "6m"


def _half_more(random: Random) -> tuple[str, str]:
    number = random.choice((1, 1, 1, 2, 2, 3))
    if random.random() < 0.6:
        return random.choice(
            (f"{numbers.counted(number)}年半", f"{number}年半", f"{numbers.counted(number)}年半期", f"{numbers.counted(number)}年零六个月")
        ), f"{number * 12 + 6}m"
    if random.random() < 0.5:
        return random.choice((f"{numbers.counted(number)}个半月", f"{number}个半月")), f"{number}.5m"
    months = random.randint(1, 11)
    forms = (
        f"{number}年{months}个月",
        f"{numbers.counted(number)}年{numbers.counted(months)}个月",
        f"{number}y{months}m",
        f"{numbers.counted(number)}年零{numbers.counted(months)}个月",
    )
    return random.choice(forms), f"{number * 12 + months}m"


def _part_years(random: Random) -> tuple[str, str]:
    value = random.choice(("1.5", "0.5", "2.5", "0.25", "0.75"))
    return random.choice(
        (f"{value}y", f"{value}年", f"{value}年期", f"{value} years", f"{numbers.chinese_decimal(value)}年", f"{value}yr")
    ), f"{value}y"


def _part_months(random: Random) -> tuple[str, str]:
    if random.random() < 0.5:
        return random.choice(("半个月", "半月期", "半个月期", "half a month")), "0.5m"
    value = random.choice(("1.5", "2.5", "0.5", "4.5"))
    return random.choice((f"{value}个月", f"{value}m", f"{value} months", f"{numbers.chinese_decimal(value)}个月")), f"{value}m"


def _quarters(random: Random) -> tuple[str, str]:
    number = random.choice((1, 1, 2, 3))
    forms = [f"{numbers.counted(number)}个季度", f"{number}个季度", f"{number}个季度", f"{number} quarter{'' if number == 1 else 's'}"]
    return random.choice([*forms, "季度期", "一个季", "一季度"] if number == 1 else forms), f"{number * 3}m"


def _weeks(random: Random) -> tuple[str, str]:
    number = random.choice((1, 2, 2, 3, 4, 6, 8, random.randint(1, 20)))
    word = numbers.counted(number)
    return random.choice((
        f"{number}w", f"{number}周", f"{word}周", f"{word}个礼拜", f"{word}个星期", f"{number}星期", f"{number} weeks", f"{number}周期",
        f"{number}wk",
        f"{word}礼拜", f"{word}星期", f"{number}wks", f"{number} week", f"{numbers.english(number)} weeks", f"{number}个星期",
        f"{word}周期",
        f"{number}-week", f"{number}w期",
    )), f"{number}w"  # fmt: skip


def _days(random: Random) -> tuple[str, str]:
    number = random.choice((7, 10, 14, 15, 20, 30, 30, 45, 60, 90, 120, 180, 360, 365, random.randint(3, 250)))
    return random.choice((
        f"{number}天", f"{number}d", f"{number}天期", f"{number} days", f"{number}日", f"{numbers.chinese(number)}天", f"{number}天的",
        f"{number}个自然日",
        f"{number}自然日", f"{number} 天", f"{number}-day", f"{number}天左右", f"{number} calendar days", f"{number}日期限",
    )), f"{number}d"  # fmt: skip


_TENORS = (
    (_months, 42), (_years, 26), (_half_year, 8), (_half_more, 6), (_part_years, 3), (_part_months, 2), (_quarters, 3), (_weeks, 7),
    (_days, 7),
)  # fmt: skip


def expiry_date(random: Random) -> str:
    """Return an expiry as a date, which is no tenor."""
    year, month, day, name = random.randint(2026, 2028), random.randint(1, 12), random.randint(1, 28), random.choice(_MONTH_NAMES)
    return random.choice((
        f"{month}月{day}日到期", f"{year}年{month}月到期", f"{year}{month:02}{day:02}到期", f"到{month}月{day}号", f"{month}月底到期",
        f"{month}/{day}到期",
        f"expiry {year}-{month:02}-{day:02}", f"到期日{year}-{month:02}-{day:02}", f"{year % 100}年{month}月到期",
        f"到期日为{month}月{day}日", f"{month}月合约到期",
        "年底到期", f"{year}/{month}/{day}到期", f"下个月{day}号到期", f"到{year}年底", f"expiring {year}-{month:02}",
        f"{year}年{month}月{day}日到期",
        f"到期日{year}{month:02}{day:02}", f"到期日:{year}-{month:02}-{day:02}", f"{year}-{month:02}-{day:02}到期", f"明年{month}月到期",
        f"到明年{month}月底",
        f"{day} {name} {year} expiry", f"expiry {day} {name}", f"{name} {year} expiry", f"expiring {name} {day}", f"{name} expiry",
        f"matures {year}-{month:02}-{day:02}",
        f"到{year}年{month}月{day}日", f"做到{month}月{day}日", f"到期日是{month}月{day}号", f"{month}月{day}号到期", "今年底到期",
        "明年底到期", "春节前到期", "国庆前到期",
        "下周五到期", "月底到期", f"到{month}月底", f"到{year}-{month:02}-{day:02}为止",
        f"{numbers.chinese(month)}月{numbers.chinese(day)}日到期",
        f"{numbers.chinese(month)}月底到期",
    ))  # fmt: skip
