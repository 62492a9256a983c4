"""The terms of an inquiry as phrases: the words that people use, and the values that the model shall write for them.

A phrase carries its own label where people need one, so that phrases may stand in any order. `Phrase.kind` says what the phrase states;
families use it for order and for corrections.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from otc import numbers


@dataclass(frozen=True, slots=True)
class Phrase:
    """``values``: by key of the model's text."""

    kind: str
    surface: str
    values: dict[str, str] = field(default_factory=dict)


_NOTIONAL_BEFORE = ("名本", "名义", "名义本金", "规模", "本金", "量", "金额", "名义金额", "做", "notional ", "ntl ", "size ", "名本:", "规模:", "名义本金:", "名义规模", "大概做", "额度", "notional:", "名本 ", "数量", "for ", "总共", "一共")
_NOTIONAL_AFTER = ("名本", "名义", "名义本金", "的量", "规模", " notional", "本金", "的规模", "的名本", "左右", "上下", "左右的量", "", "吧", "名义规模")
_ABOUT = ("大概", "大约", "约", "差不多", "about ", "approx ", "估计", "预计")


def notional(random: Random) -> Phrase:
    """State the notional; an approximate one counts as it is."""
    surface, value = numbers.amount(random)
    draw = random.random()
    if draw < 0.4:
        surface = random.choice(_NOTIONAL_BEFORE) + (random.choice(_ABOUT) if random.random() < 0.1 else "") + surface
        surface += random.choice(("左右", "上下", "")) if random.random() < 0.15 else ""
    elif draw < 0.6:
        surface = (random.choice(_ABOUT) if random.random() < 0.15 else "") + surface + random.choice(_NOTIONAL_AFTER)
    return Phrase("notional", surface, {"notional": value})


def foreign_notional(random: Random) -> Phrase:
    """State it in another currency: nothing in yuan."""
    surface = numbers.foreign_amount(random)
    return Phrase("notional", random.choice(("", "", "名本", "notional ", "规模")) + surface)


def tenor(random: Random) -> Phrase:
    """State the time to expiry."""
    surface, value = numbers.tenor(random)
    draw = random.random()
    if draw < 0.25:
        surface = random.choice(("期限", "期限:", "期限 ", "tenor ", "tenor:", "到期", "期限是", "做", "存续期", "t=", "期限为", "maturity ", "周期", "期限选")) + surface
    elif draw < 0.38:
        surface += random.choice(("期限", "到期", "期限的", "的期限", " tenor", " expiry", "的", "后到期", " maturity"))
    return Phrase("tenor", surface, {"tenor": value})


def date(random: Random) -> Phrase:
    """State a date: no tenor."""
    return Phrase("tenor", numbers.expiry_date(random))


_CALLS = ("call", "call", "call", "看涨", "看涨", "认购", "看涨期权", "认购期权", " call option", "欧式看涨", "欧式看涨期权", "calls", "欧式call", "看涨的")
_PUTS = ("put", "put", "put", "看跌", "看跌", "认沽", "看跌期权", "认沽期权", " put option", "欧式看跌", "欧式看跌期权", "puts", "欧式put", "看跌的")


def option_word(random: Random) -> tuple[str, str]:
    """Return a word for an option and its type."""
    value = random.choice(("call", "put", "call"))
    return random.choice(_CALLS if value == "call" else _PUTS), value


def option(random: Random) -> Phrase:
    """Name the option."""
    word, value = option_word(random)
    return Phrase("option", word.strip(), {"option": value, "product": "vanilla"})


def strike(random: Random) -> Phrase:
    """State the strike apart from the option."""
    draw = random.random()
    if draw < 0.3:
        return Phrase("strike", random.choice(("平值", "atm", "平值", "平值的", "行权价平值", "at the money", "平价", "atm的", "strike atm", "平值行权", "平直", "平值期权", "a.t.m", "atm strike")), {"strike": "100"})
    if draw < 0.42:
        surface, value = numbers.folded_tens(random)
        return Phrase("strike", random.choice(("", "行权价", "执行价", "", "打")) + surface + random.choice(("", "", "行权", "行权价", "的")), {"strike": value})
    if draw < 0.62:
        return _moneyness(random)
    number = random.choice(("80", "85", "90", "95", "100", "103", "105", "110", "115", "120", "75", "70", "98", "102", "97.5", "102.5", numbers.barrier(random, 50, 150)))
    draw = random.random()
    if draw < 0.12 and "." not in number:
        said = numbers.chinese(int(number))
        return Phrase("strike", random.choice((f"百分之{said}", f"行权价百分之{said}", f"执行价{said}", f"行权价{said}", f"行权{said}")), {"strike": number})
    if draw < 0.2:
        times = f"{float(number) / 100:g}"
        return Phrase("strike", random.choice((f"{times}倍", f"行权价{times}s0", f"执行价{times}倍期初价", f"k={times}s0", f"{times}倍行权")), {"strike": f"{times}x"})
    surface = random.choice((
        f"行权价{number}%", f"执行价{number}%", f"行权价{number}", f"执行价{number}", f"strike {number}", f"strike {number}%", f"k={number}", f"k={number}%", f"行权{number}", f"{number}%行权", f"{number}%",
        f"行权价格{number}%", f"行权价:{number}%", f"strike:{number}", f"行权价为{number}%", f"{number}的行权价", f"{number}%行权价", f"{number}% strike", f"执行价是{number}", f"敲定价{number}", f"行权水平{number}%", f"行权比例{number}%", f"执行价格为期初的{number}%", f"k{number}",
    ))  # fmt: skip
    return Phrase("strike", surface, {"strike": number})


def _moneyness(random: Random) -> Phrase:
    number = random.choice(("5", "10", "5", "3", "2", "8", "15", "20", "7", "2.5", "1", "12"))
    is_out = random.random() < 0.7
    shown = number if "." in number or random.random() < 0.85 else numbers.chinese(int(number))
    if shown != number and random.random() < 0.5:
        shown = "百分之" + shown
        surface = ("虚值" if is_out else "实值") + shown
    else:
        unit = random.choice(("%", "%", "个点", "%的", "pct" if shown == number else "个点"))
        words = ("虚值", "虚", "otm", "otm ", "价外", "虚值了", "out of the money ") if is_out else ("实值", "实", "itm", "itm ", "价内", "in the money ")
        after = ("虚值", "价外", " otm", "虚", " out of the money") if is_out else ("实值", "价内", " itm", "实", " in the money")
        surface = random.choice(words) + shown + unit if random.random() < 0.75 else shown + "%" + random.choice(after)
    return Phrase("strike", surface, {"strike": ("otm" if is_out else "itm") + number})


def strike_absolute(random: Random) -> Phrase:
    """State the strike as a price: no percentage."""
    return Phrase("strike", random.choice((
        f"行权价{random.randint(2000, 8000)}点", f"执行价{random.randint(5, 300)}.{random.randint(1, 9)}元", f"strike {random.randint(1500, 9000)}点", f"行权价{random.randint(10, 400)}块", f"执行价{random.randint(3000, 7000)}",
        f"k={random.randint(2000, 9000)}", f"行权价{random.randint(8, 90)}.{random.randint(10, 99)}", f"strike @{random.randint(3000, 9000)}",
    )))  # fmt: skip


def strike_option(random: Random) -> Phrase:
    """State strike and option in one: 80call, 平值看涨, atm put, 虚值5%认沽, call 105."""
    word, value = option_word(random)
    values = {"option": value, "product": "vanilla"}
    draw = random.random()
    if draw < 0.34:
        number = random.choice(("80", "85", "90", "95", "100", "103", "105", "110", "120", "75", "70", "98", "102", "115", "88", numbers.barrier(random, 50, 150)))
        short = random.choice(("call", "c", "call", "call", "看涨", "认购", "%call", "% call", " call", "的call", "的看涨")) if value == "call" else random.choice(("put", "p", "put", "put", "看跌", "认沽", "%put", "% put", " put", "的put", "的看跌"))
        return Phrase("option", number + short, {**values, "strike": number})
    if draw < 0.42:
        number = random.choice(("80", "90", "95", "100", "105", "110", "103", "85"))
        return Phrase("option", f"{word.strip()}{random.choice((' ', '', ' @'))}{number}{random.choice(('', '%'))}", {**values, "strike": number})
    if draw < 0.5:
        return Phrase("option", word.strip(), values)
    said = strike(random)
    glue = random.choice(("", "", "", "的", " ")) if not said.surface.endswith("的") else ""
    if said.surface[-1:].isascii() and said.surface[-1:].isalnum() and word[:1].isascii() and word[:1].isalpha():
        glue = glue or " "
    if random.random() < 0.15:
        return Phrase("option", word.strip() + random.choice((",", " ", "")) + said.surface, {**values, **said.values})
    return Phrase("option", said.surface + glue + word.strip(), {**values, **said.values})


def vanilla_word(random: Random) -> Phrase:
    """Name a vanilla option as such."""
    return Phrase("product", random.choice(("香草", "香草期权", "vanilla", "香草结构", "vanilla option", "普通香草", "欧式香草", "plain vanilla")), {"product": "vanilla"})


def snowball_word(random: Random) -> Phrase:
    """Name a snowball."""
    return Phrase("product", random.choice(("雪球", "雪球", "雪球", "雪球结构", "snowball", "经典雪球", "雪球产品", "小雪球", "降敲雪球", "雪球期权", "雪球的结构", "平敲雪球" if random.random() < 0.05 else "雪球", "snowball note", "限亏雪球", "snowballs")), {"product": "snowball"})


def barriers(random: Random) -> Phrase:
    """State both barriers: 103-80, 80/103, 敲入80敲出103, ko 103 ki 75."""
    upper, lower = numbers.barrier(random, 96, 110), numbers.barrier(random, 50, 92)
    values = {"ki": lower, "ko": upper}
    draw = random.random()
    if draw < 0.34:
        first, second = (upper, lower) if random.random() < 0.6 else (lower, upper)
        mark, last = random.choice(("-", "-", "/", "/", "~", "|", "、", " / ", " - ", "_", "对", "x")), random.choice(("", "", "", "结构", "的", "的结构"))
        both = random.random()
        return Phrase("barriers", f"{first}%{mark}{second}%{last}" if both < 0.15 else f"{first}{mark}{second}{last}", values)
    out = random.choice((
        f"敲出{upper}", f"敲出{upper}%", f"ko{upper}", f"ko {upper}%", f"敲出线{upper}%", f"敲出价{upper}", f"{upper}敲出", f"{upper}%敲出", f"敲出水平{upper}%", f"敲出障碍{upper}%", f"knock out {upper}",
        f"ko={upper}", f"{upper}ko", f"敲出:{upper}%", f"上障碍{upper}", f"敲出价格{upper}%", f"knock-out {upper}%", f"敲出界限{upper}%", f"{upper}%的敲出线", f"敲出设在{upper}", f"敲出定{upper}%",
    ))  # fmt: skip
    into = random.choice((
        f"敲入{lower}", f"敲入{lower}%", f"ki{lower}", f"ki {lower}%", f"敲入线{lower}%", f"敲入价{lower}", f"{lower}敲入", f"{lower}%敲入", f"敲入水平{lower}%", f"敲入障碍{lower}%", f"knock in {lower}",
        f"ki={lower}", f"{lower}ki", f"敲入:{lower}%", f"下障碍{lower}", f"敲入价格{lower}%", f"knock-in {lower}%", f"敲入界限{lower}%", f"{lower}%的敲入线", f"敲入设在{lower}", f"敲入定{lower}%",
    ))  # fmt: skip
    if draw < 0.44 and "." not in upper + lower:
        out, into = random.choice((f"敲出{numbers.chinese(int(upper))}", f"敲出百分之{numbers.chinese(int(upper))}")), random.choice((f"敲入{numbers.chinese(int(lower))}", f"敲入百分之{numbers.chinese(int(lower))}"))
    parts = [out, into]
    random.shuffle(parts)
    return Phrase("barriers", random.choice(("", ",", " ", ",", "、", "/")).join(parts), values)


def knock_out(random: Random) -> Phrase:
    """State the knock-out alone."""
    if random.random() < 0.12:
        return Phrase("barriers", random.choice(("平值敲出", "敲出平值", "100敲出")), {"ko": "100"})
    upper = numbers.barrier(random, 95, 112)
    return Phrase("barriers", random.choice((f"敲出{upper}", f"敲出{upper}%", f"ko {upper}", f"敲出线{upper}%", f"{upper}敲出", f"knock out {upper}%", f"敲出价{upper}%", f"ko{upper}", f"敲出调到{upper}", f"敲出改成{upper}%")), {"ko": upper})


def knock_in(random: Random) -> Phrase:
    """State the knock-in alone."""
    lower = numbers.barrier(random, 50, 92)
    return Phrase("barriers", random.choice((f"敲入{lower}", f"敲入{lower}%", f"ki {lower}", f"敲入线{lower}%", f"{lower}敲入", f"knock in {lower}%", f"敲入价{lower}%", f"ki{lower}", f"敲入降到{lower}", f"敲入改成{lower}%", f"敲入放到{lower}")), {"ki": lower})


def step(random: Random) -> Phrase:
    """State by how much the knock-out falls a month."""
    n = numbers.half_step(random)
    return Phrase("step", random.choice((
        f"每月降{n}", f"月降{n}%", f"月降{n}", f"每月降{n}%", f"逐月降{n}%", f"step down {n}", f"stepdown {n}%", f"每月递减{n}%", f"月递减{n}", f"每月下降{n}%", f"每个月降{n}", f"敲出每月降{n}%", f"降敲{n}", f"敲出价每月下调{n}%",
        f"逐月下调{n}%", f"{n}%每月递减", f"每月降{n}个点", f"step-down {n}% per month", f"敲出逐月递减{n}%", f"每月往下降{n}", f"每月下移{n}%", f"{n}% stepdown", f"月降敲{n}%", f"敲出线每月降{n}%", f"每月少{n}%",
    )), {"step": n})  # fmt: skip


def lockup(random: Random) -> Phrase:
    """State the lock-up: 锁三, 锁定期3个月, lock 3m, 不锁."""
    if random.random() < 0.12:
        return Phrase("lockup", random.choice(("不锁", "不锁定", "没有锁定期", "无锁定期", "无锁定", "不设锁定期", "no lock", "no lockup", "不要锁定期", "零锁定", "不带锁定期")), {"lockup": "0m"})
    if random.random() < 0.08:
        return Phrase("lockup", random.choice(("锁半年", "锁定半年", "半年锁定期", "lock半年")), {"lockup": "6m"})
    if random.random() < 0.05:
        return Phrase("lockup", random.choice(("锁一年", "锁1年", "lock 1y", "锁定期一年", "锁定期1年")), {"lockup": "1y"})
    n = random.choice((3, 3, 3, 6, 1, 2, 4, 5, 12, 9))
    word, plain = counted_word(n), numbers.chinese(n)
    return Phrase("lockup", random.choice((
        f"锁{plain}", f"锁{n}", f"锁{n}个月", f"锁{word}个月", f"锁定{n}个月", f"锁定期{n}个月", f"锁定期{word}个月", f"lock {n}m", f"lockup {n}m", f"{n}个月锁定期", f"{word}个月锁定", f"{n}个月锁定", f"锁{n}m", f"lock{n}", f"封闭{n}个月",
        f"锁定期{n}m", f"{n}m lockup", f"锁定{word}个月", f"前{n}个月锁定", f"锁{n}月", f"lock-up {n} months", f"锁定期:{n}个月", f"封闭期{word}个月", f"{n}m lock", f"锁定期{n}", f"{n} months lock",
    )), {"lockup": f"{n}m"})  # fmt: skip


def counted_word(number: int) -> str:
    return numbers.counted(number)


def coupon(random: Random) -> Phrase:
    """Demand a coupon."""
    n = random.choice(("15", "12", "18", "20", "10", "8", "16", "14", "13.5", "12.5", "22", "25", "9", "11", "17.8", "15.5", str(random.randint(5, 40))))
    shown = random.choice((f"{n}%", f"{n}%", n, f"{n}个点"))
    if "." not in n and random.random() < 0.07:
        shown = "百分之" + numbers.chinese(int(n))
    if random.random() < 0.05:
        return Phrase("coupon", random.choice(("票息{}bp", "coupon {}bps", "票息要{}bp")).format(n_bp := str(int(float(n) * 100))), {"coupon": f"{n_bp}bp"})
    return Phrase("coupon", random.choice((
        f"票息{shown}以上", f"票息要{shown}", f"票息{shown}", f"coupon {shown}", f"票息不低于{shown}", f"要求票息{shown}", f"年化{shown}以上", f"票息至少{shown}", f"票息希望{shown}", f"coupon>={shown}", f"票息想要{shown}",
        f"票息目标{shown}", f"年化票息{shown}", f"票息做到{shown}", f"coupon at least {shown}", f"票息大于{shown}", f"{shown}的票息", f"{shown}票息", f"票息:{shown}", f"票息能到{shown}就行", f"票息{shown}起", f"min coupon {shown}", f"年化收益要{shown}",
        f"目标票息{shown}", f"票息要在{shown}以上", f"最低{shown}票息", f"敲出票息{shown}", f"敲出收益{shown}", f"coupon要{shown}", f"票息最好{shown}以上",
    )), {"coupon": n})  # fmt: skip


def coupon_asked(random: Random) -> Phrase:
    """Ask what the coupon is, or quote it back: nothing is demanded."""
    n = random.randint(5, 30)
    return Phrase("coupon", random.choice((
        "票息多少", "票息能给多少", "coupon多少", "报个票息", "票息怎么样", "求票息", "看看票息", "能做到多少票息", "票息几个点", "what's the coupon", "票息给多少", "求报票息", "coupon?", "报下票息", "票息大概多少", "票息最高多少", "可以给到多少票息", "年化能到多少",
        f"别家报{n}%票息,你们多少", f"上次报的{n}%票息,现在呢", f"昨天票息是{n}%,今天多少",
    )))  # fmt: skip


_BUY = ("买", "买入", "客户买", "想买", "我们买", "buy", "long", "买方", "收", "要买", "bid", "客户想买", "做多", "我买", "买进", "做买方", "买入方向", "方向买", "买方向", "long side", "客户买入", "we buy", "client buys", "购买", "我方买入", "准备买", "拿")
_SELL = ("卖", "卖出", "客户卖", "想卖", "我们卖", "sell", "short", "卖方", "出", "要卖", "offer", "客户想卖", "我卖", "做卖方", "卖出方向", "方向卖", "卖方向", "short side", "客户卖出", "we sell", "client sells", "我方卖出", "准备卖", "沽出", "抛")
_WANT_OFFER = ("有没有卖盘", "有卖盘吗", "有人卖吗", "谁有卖盘", "有offer吗", "有没有人出", "有没有offer", "求卖盘", "找卖盘", "谁能卖", "有卖方吗", "any offer")
_WANT_BID = ("有没有买盘", "有买盘吗", "有人买吗", "谁有买盘", "有bid吗", "有没有人收", "有没有bid", "求买盘", "找买盘", "谁能收", "有买方吗", "any bid")


def side_word(random: Random, value: str) -> str:
    """Return a word for the client's direction that stands before what is traded."""
    return random.choice(_BUY if value == "buy" else _SELL)


def side(random: Random) -> Phrase:
    """State the direction; who asks for somebody's offer buys."""
    value = random.choice(("buy", "buy", "sell"))
    if random.random() < 0.14:
        return Phrase("side", random.choice(_WANT_OFFER if value == "buy" else _WANT_BID), {"side": value})
    return Phrase("side", side_word(random, value), {"side": value})


def bond_code(random: Random) -> Phrase:
    """Name a bond by its six digits."""
    year, kind = random.choice(("19", "20", "21", "22", "23", "24", "25", "26")), random.choice(("00", "02", "02", "04", "03", "00", "98", "18"))
    code = f"{year}{kind}{random.randint(1, 30):02}" if random.random() < 0.85 else f"{random.randint(100000, 299999)}"
    lead, tail = random.choice(("", "", "", "", "国债", "国债 ", "债券", "债券代码", "券", "代码", "代码:", "政金债", "国开", "国开债", "bond ", "农发", "口行")), random.choice(("", "", "", ".ib", ".ib", "国债", "国开", "这只", "这个券", "那只券", ".sh", "国开债", "这只债"))
    return Phrase("bond", f"{lead}{code}{tail}", {"bond": code, "product": "bond"})


def bond_name(random: Random) -> Phrase:
    """Name a bond in words, which have no code."""
    name = random.choice(("十年国债", "22国开10", "23附息国债26", "10年国开", "30年国债", "国债活跃券", "二永债", "24特别国债", "五年国开债", "7年农发", "超长国债", "地方债", "国开债", "30y国债", "这只债券", "10y国债"))
    return Phrase("bond", name, {"product": "bond"})


def bond_yield(random: Random) -> Phrase:
    """State a yield."""
    n = f"{random.randint(1, 4)}.{random.randint(0, 99):02}" + random.choice(("", "", "", "5"))
    if random.random() < 0.05:
        return Phrase("yield", f"{random.randint(120, 380)}bp", {}) if random.random() < 0 else Phrase("yield", f"收益率{(b := random.randint(120, 380))}bp", {"yield": f"{b}bp"})
    return Phrase("yield", random.choice((n, n, n, f"{n}%", f"收益率{n}", f"收益率{n}%", f"{n}的收益率", f"ytm {n}", f"@{n}", f"在{n}", f"{n}位置", f"利率{n}%", f"yield {n}", f"yield {n}%", f"收益{n}%", f"{n}附近", f"at {n}", f"到期收益率{n}%", f"{n}这个位置", f"ytm={n}%", f"收益率:{n}%")), {"yield": n})


def bond_relative(random: Random) -> Phrase:
    """State a yield relative to another, or a clean price: no yield."""
    return Phrase("yield", random.choice((f"国债+{random.randint(5, 80)}bp", f"+{random.randint(1, 60)}bp", f"净价{random.randint(96, 104)}.{random.randint(1, 99):02}", f"估值+{random.randint(1, 9)}bp", f"估值上{random.randint(1, 9)}bp", f"clean price {random.randint(97, 103)}.{random.randint(1, 9)}", f"净价{random.randint(98, 103)}", f"比估值高{random.randint(1, 5)}个bp", "估值附近", f"中债估值-{random.randint(1, 5)}bp")))


def face(random: Random) -> Phrase:
    """State a bond's face."""
    surface, value = numbers.amount(random, is_bond=True)
    draw = random.random()
    if draw < 0.4:
        surface = random.choice(("面额", "券面", "面值", "量", "券面总额", "face ", "size ", "面额:", "规模", "做", "票面", "券面 ", "面值:", "各", "要", "共")).replace("各", "面额") + surface
    elif draw < 0.5:
        surface += random.choice(("面额", "券面", "面值", "的券", "的量", " face", "左右"))
    return Phrase("face", surface, {"face": value})


def face_named(random: Random) -> Phrase:
    """State a face where nothing else says that it is a bond's."""
    surface, value = numbers.amount(random, is_bond=True)
    said = random.choice((f"面额{surface}", f"券面{surface}", f"{surface}面额", f"{surface}的券", f"面值{surface}", f"{surface}券面", f"券{surface}"))
    return Phrase("face", said, {"face": value})
