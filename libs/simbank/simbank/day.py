"""One genuine day of the bank, without fraud.

Surprising: a day is a LOCAL day of each customer, so rows of one day spread over more than 24 hours of UTC; `history` cuts them to a range.
Trips, borrowed devices, replaced phones and new payees happen here, to honest people: they are what false alarms are made of.
"""

import numpy as np

from simbank.population import CHANNEL_CDF, HOUR_CDF, Population
from simbank.regions import REGION_OFFSET_US, REGIONS
from simbank.rows import card_amount_cny, card_rows, transfer_amount_cny, transfer_rows
from simbank.schema import ATM, CARD_PRESENT, DAY_US, ECOMMERCE, F64, HOUR_US, I16, I32, I64, TRANSFER, Bool, Transactions

_WEEKDAY = np.array([0.95, 0.95, 0.97, 1.0, 1.1, 1.1, 0.93])  # Monday first
_ZIPF8 = np.cumsum(1 / np.arange(1, 9)) / np.sum(1 / np.arange(1, 9))
_EXPLORES = 0.12  # share of purchases at a merchant outside one's habits
_NEW_PAYEE = 0.08
_BORROWED = 0.015
_TRAVELS_A_WEEK = 0.05


def genuine_day(population: Population, day: int) -> Transactions:
    """All genuine transactions of local day `day` (days since 1970), unsorted, ids zero, deterministic by seed and day."""
    rng = np.random.default_rng([population.seed, 2, day])
    people = population.customers
    weekday = (day + 3) % 7
    customer = np.repeat(np.arange(len(people), dtype=np.int32), rng.poisson(people.daily_rate * _WEEKDAY[weekday]))
    channel = (CHANNEL_CDF[people.segment[customer]] < rng.random(len(customer))[:, None]).sum(axis=1)
    where = whereabouts(population, day)[customer]
    time_us = local_time_us(population, customer, where, day, rng)
    transfers = channel == TRANSFER
    parts = [
        _purchases(population, customer[~transfers], channel[~transfers], where[~transfers], time_us[~transfers], day, rng),
        _transfers(population, customer[transfers], where[transfers], time_us[transfers], day, rng),
        _standing_orders(population, day, rng),
    ]
    return Transactions.concatenate(parts)


def whereabouts(population: Population, day: int) -> I16:
    """Region of each customer on `day`: home, or the destination of a trip of the week (mostly domestic, sometimes abroad)."""
    week = (day + 3) // 7
    rng = np.random.default_rng([population.seed, 3, week])
    people = population.customers
    count = len(people)
    travels = rng.random(count) < _TRAVELS_A_WEEK
    start, length = rng.integers(0, 6, count), rng.integers(1, 6, count)
    destination = rng.integers(0, len(REGIONS), count)
    weekday = (day + 3) % 7
    away = travels & (start <= weekday) & (weekday < start + length)
    return np.where(away, destination, people.region).astype(np.int16)


def local_time_us(population: Population, customer: I32, region: I16, day: int, rng: np.random.Generator) -> I64:
    """An instant of the local day at each row's region, following the customer's archetype."""
    hour = (HOUR_CDF[population.customers.archetype[customer]] < rng.random(len(customer))[:, None]).sum(axis=1)
    within = (rng.random(len(customer)) * HOUR_US).astype(np.int64)
    return np.asarray(day * DAY_US + hour * HOUR_US + within - REGION_OFFSET_US[region], dtype=np.int64)


def own_device(population: Population, customer: I32, day: int, rng: np.random.Generator) -> I32:
    """The device a genuine customer uses: mostly the first (or its replacement), sometimes the second, rarely a borrowed one."""
    people = population.customers
    first = np.where(people.device_swap_day[customer] <= day, people.devices[customer, 2], people.devices[customer, 0])
    second = people.devices[customer, 1]
    device = np.where((second >= 0) & (rng.random(len(customer)) < 0.25), second, first)
    borrowed = rng.integers(population.first_shared_device, population.devices, len(customer))
    return np.where(rng.random(len(customer)) < _BORROWED, borrowed, device).astype(np.int32)


def _purchases(
    population: Population, customer: I32, channel: I64, where: I16, time_us: I64, day: int, rng: np.random.Generator
) -> Transactions:
    people, merchants = population.customers, population.merchants
    count = len(customer)
    slot = np.searchsorted(_ZIPF8, rng.random(count))
    merchant = people.shops[customer, slot]
    merchant = np.where(channel == ECOMMERCE, people.online_shops[customer, slot % 6], merchant)
    merchant = np.where(channel == ATM, people.cash_machines[customer, slot % 2], merchant)
    online = merchants.of_kind("online")
    explores = rng.random(count) < _EXPLORES
    merchant = np.where(explores & (channel == ECOMMERCE), _popular(online, merchants.popularity, rng, count), merchant)
    away = where != people.region[customer]
    merchant = _elsewhere(merchants.local, merchant, where, (away | explores) & (channel == CARD_PRESENT), rng)
    merchant = _elsewhere(merchants.local_cash, merchant, where, away & (channel == ATM), rng).astype(np.int32)
    device = np.where(channel == ECOMMERCE, own_device(population, customer, day, rng), -1).astype(np.int32)
    terminal = merchants.pick_terminal(merchant, rng.random(count))
    amount = card_amount_cny(population, customer, merchant, rng)
    return card_rows(population, time_us, customer, merchant, terminal, device, channel, amount)


def _popular(candidates: I64, popularity: F64, rng: np.random.Generator, count: int) -> I64:
    cdf = np.cumsum(popularity[candidates])
    return np.asarray(candidates[np.searchsorted(cdf, rng.random(count) * cdf[-1])])


def _elsewhere(local: tuple[I32, ...], merchant: I32, where: I16, moved: Bool, rng: np.random.Generator) -> I32:
    """Replace the merchants of `moved` rows by `local` ones of the region where the customer is; the popular ones first."""
    chosen = merchant.copy()
    for code in np.unique(where[moved]):
        rows = np.flatnonzero(moved & (where == code))
        chosen[rows] = local[code][(rng.random(len(rows)) ** 2 * len(local[code])).astype(np.int64)]
    return chosen


def _transfers(population: Population, customer: I32, where: I16, time_us: I64, day: int, rng: np.random.Generator) -> Transactions:
    people = population.customers
    payee = people.payees[customer, np.searchsorted(_ZIPF8, rng.random(len(customer))) % 6]
    stranger = rng.integers(0, population.accounts, len(customer))
    payee = np.where((rng.random(len(customer)) < _NEW_PAYEE) & (stranger != customer), stranger, payee).astype(np.int32)
    amount = transfer_amount_cny(population, customer, rng)
    rounded = np.where(rng.random(len(customer)) < 0.5, np.maximum(np.rint(amount / 50), 1) * 50, amount)
    return transfer_rows(population, time_us, customer, payee, own_device(population, customer, day, rng), rounded, where, TRANSFER)


def _standing_orders(population: Population, day: int, rng: np.random.Generator) -> Transactions:
    """Rent and salaries due on this day of the month."""
    people = population.customers
    of_month = int(np.datetime64(day, "D").astype(object).day)
    tenants = np.flatnonzero((people.landlord >= 0) & (people.rent_day == of_month) & (people.landlord != np.arange(len(people))))
    staff = np.flatnonzero((people.employer >= 0) & (people.pay_day == of_month))
    payer = np.concatenate([tenants, people.employer[staff]]).astype(np.int32)
    payee = np.concatenate([people.landlord[tenants], staff]).astype(np.int32)
    amount = np.concatenate([people.rent_minor[tenants], people.salary_minor[staff]]) / 100.0
    home = people.region[payer]
    time_us = local_time_us(population, payer, home, day, rng)
    return transfer_rows(population, time_us, payer, payee, own_device(population, payer, day, rng), amount, home, TRANSFER)
