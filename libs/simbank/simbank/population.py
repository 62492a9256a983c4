"""Who the bank serves: customers with habits, the accounts they pay, and tenants.

Surprising: habits are drawn once and stay; what varies from day to day (trips, borrowed devices, new payees, a replaced phone) is
derived from seed and date, so that any day can be generated without the days before it. Business customers pay salaries, so that a wide
fan-out is mostly genuine; landlords and clubs collect from many, so that a wide fan-in is too.
"""

from dataclasses import dataclass

import numpy as np

from simbank.merchants import Merchants, build_merchants, nearest_merchants
from simbank.regions import REGION_POSITION, REGION_WEIGHT
from simbank.schema import F64, I16, I32, I64, Bool

TENANTS: tuple[str, ...] = ("retail", "rural")
SEGMENTS: tuple[str, ...] = ("mass", "affluent", "student", "business")
BUSINESS = SEGMENTS.index("business")
_SEGMENT_SHARE = (0.66, 0.14, 0.17, 0.03)
_SEGMENT_RATE = np.array([2.2, 3.2, 2.6, 4.0])  # transactions a day, before the customer's own factor
_SEGMENT_SCALE = np.array([1.0, 2.4, 0.6, 3.0])  # of amounts

# Share of a day's activity by local hour, (archetype, hour): office worker, early riser, night owl, shopkeeper.
_HOURS = np.array(
    [
        [1, 1, 0.5, 0.5, 0.5, 1, 3, 6, 8, 5, 4, 6, 10, 7, 4, 4, 5, 8, 11, 11, 9, 7, 5, 2],
        [0.5, 0.5, 0.5, 0.5, 2, 5, 9, 10, 9, 8, 8, 8, 7, 5, 5, 6, 6, 6, 5, 4, 2, 1, 0.5, 0.5],
        [7, 5, 4, 2, 1, 0.5, 0.5, 1, 2, 3, 4, 5, 6, 6, 5, 5, 5, 6, 7, 8, 9, 10, 10, 9],
        [0.5, 0.5, 0.5, 0.5, 0.5, 1, 4, 7, 9, 10, 10, 8, 6, 7, 9, 9, 8, 6, 5, 3, 2, 1, 1, 0.5],
    ]
)
HOUR_CDF: F64 = np.cumsum(_HOURS / _HOURS.sum(axis=1, keepdims=True), axis=1)  # (archetype, 24)
# Share of channels by segment, in the order of schema.CHANNELS.
_CHANNEL_SHARE = np.array([[0.52, 0.30, 0.13, 0.05], [0.48, 0.36, 0.13, 0.03], [0.42, 0.44, 0.10, 0.04], [0.25, 0.25, 0.47, 0.03]])
CHANNEL_CDF: F64 = np.cumsum(_CHANNEL_SHARE, axis=1)  # (segment, channel)
_MINOR_CNY = 100


@dataclass(frozen=True)
class Customers:
    """One row a customer. Row i owns account i; devices are (first, second or -1, replacement of the first)."""

    tenant: I16
    segment: I16
    region: I16
    position: F64  # (C, 2) degrees
    archetype: I16
    daily_rate: F64
    amount_scale: F64
    devices: I32  # (C, 3)
    device_swap_day: I64  # day since 1970 on which the first device is replaced
    shops: I32  # (C, 8) merchants, most visited first
    online_shops: I32  # (C, 6)
    cash_machines: I32  # (C, 2)
    payees: I32  # (C, 6) accounts
    landlord: I32  # account, -1 for owners
    rent_minor: I64
    rent_day: I16  # of the month
    employer: I32  # a business customer, -1 for none
    salary_minor: I64
    pay_day: I16  # of the month
    mule: Bool  # lends the account to fraudsters, and lives an ordinary life besides

    def __len__(self) -> int:
        return len(self.region)


@dataclass(frozen=True)
class Population:
    """Customers, merchants, and the sizes of the other number spaces."""

    seed: int
    customers: Customers
    merchants: Merchants
    accounts: int  # customers' accounts first, then accounts at other banks
    devices: int
    first_shared_device: int  # devices from here on are borrowed: family tablets, internet cafés

    def counterparty_of_account(self, account: I32) -> I32:
        """Account numbers as counterparty numbers."""
        return (account + len(self.merchants)).astype(np.int32)


def build_population(customers: int = 10_000, *, seed: int = 0) -> Population:
    """Draw a population of `customers` (at least 50) and a fitting number of merchants, accounts and devices."""
    if customers < 50:
        raise ValueError("a population needs at least 50 customers")
    rng = np.random.default_rng([seed, 1])
    merchants = build_merchants(max(customers // 5, 400), rng)
    count, accounts = customers, customers + customers // 2
    segment = rng.choice(len(SEGMENTS), size=count, p=_SEGMENT_SHARE).astype(np.int16)
    segment[:3] = BUSINESS
    region = rng.choice(len(REGION_WEIGHT), size=count, p=REGION_WEIGHT).astype(np.int16)
    position = REGION_POSITION[region] + rng.normal(scale=0.12, size=(count, 2))
    scale = _SEGMENT_SCALE[segment] * rng.lognormal(0.0, 0.45, count)
    businesses = np.flatnonzero(segment == BUSINESS).astype(np.int32)
    employed = (segment < BUSINESS) & (rng.random(count) < 0.6)
    hubs = np.concatenate([businesses, rng.integers(count, accounts, size=max(count // 100, 3)).astype(np.int32)])
    landlord = np.where(rng.random(count) < 0.35, rng.choice(hubs, count), -1)
    number = np.arange(count)
    devices = np.stack([number, np.where(rng.random(count) < 0.4, number + count, -1), number + 2 * count], axis=1)
    people = Customers(
        tenant=(rng.random(count) < 0.25).astype(np.int16),
        segment=segment,
        region=region,
        position=position,
        archetype=np.where(segment == BUSINESS, 3, rng.choice(3, size=count, p=[0.6, 0.22, 0.18])).astype(np.int16),
        daily_rate=_SEGMENT_RATE[segment] * rng.gamma(3.0, 1 / 3.0, count),
        amount_scale=scale,
        devices=devices.astype(np.int32),
        device_swap_day=rng.integers(20_000, 20_000 + 1_800, size=count),
        shops=nearest_merchants(merchants, region, position, 8, rng, kind="shop"),
        online_shops=nearest_merchants(merchants, region, position, 6, rng, kind="online"),
        cash_machines=nearest_merchants(merchants, region, position, 2, rng, kind="cash"),
        payees=_payees(count, accounts, hubs, rng),
        landlord=landlord.astype(np.int32),
        rent_minor=np.rint(2_400 * scale * rng.lognormal(0, 0.2, count)).astype(np.int64) * _MINOR_CNY,
        rent_day=rng.integers(1, 6, size=count).astype(np.int16),
        employer=np.where(employed, rng.choice(businesses, count), -1).astype(np.int32),
        salary_minor=np.rint(7_000 * scale * rng.lognormal(0, 0.15, count)).astype(np.int64) * _MINOR_CNY,
        pay_day=rng.choice([5, 10, 15, 25, 28], size=count).astype(np.int16),
        mule=rng.random(count) < 0.01,
    )
    people.mule[3:6] = True  # even the smallest population has some
    return Population(
        seed=seed,
        customers=people,
        merchants=merchants,
        accounts=accounts,
        devices=3 * count + max(count // 20, 10),
        first_shared_device=3 * count,
    )


def _payees(count: int, accounts: int, hubs: I32, rng: np.random.Generator) -> I32:
    """Six accounts each: friends among our customers, accounts elsewhere, and a hub now and then."""
    payees = rng.integers(0, accounts, size=(count, 6))
    collected = rng.random((count, 6)) < 0.15
    payees = np.where(collected, rng.choice(hubs, size=(count, 6)), payees)
    oneself = payees == np.arange(count)[:, None]
    return np.where(oneself, (payees + 1) % accounts, payees).astype(np.int32)
