"""Compromised terminal: a till or cash machine copies cards for weeks; frauds happen on it, and later elsewhere with the copies.

Signature: the terminal itself. Amounts and hours are those of its genuine customers, so only the terminal's record of confirmed fraud
tells. Source of the idea: scenario 2 of Le Borgne et al., Reproducible Machine Learning for Credit Card Fraud Detection.
"""

import numpy as np

from simbank.categories import CASH_MACHINE
from simbank.rows import card_amount_cny, card_rows, marked
from simbank.schema import ATM, CARD_PRESENT, DAY_US, ECOMMERCE, HOUR_US, I32, I64, TYPOLOGIES, Transactions
from simbank.typologies.episode import Scene

_CODE = TYPOLOGIES.index("compromised_terminal")
_MEAN_ROWS = 24.0
_WEEKS = (10, 25)  # days an episode lasts


def inject_compromised_terminal(scene: Scene, budget: float) -> Transactions:
    """About 24 rows an episode over 10 to 24 days (fewer where the history ends first), a quarter of them on copies used elsewhere."""
    rng, population = scene.rng, scene.population
    merchants = population.merchants
    visible = np.mean([scene.days / (scene.days + length - 1) for length in range(*_WEEKS)])
    count = scene.episodes(budget, _MEAN_ROWS * float(visible))
    shops = np.flatnonzero(~merchants.online)
    weight = merchants.popularity[shops] ** 0.5 * np.where(merchants.weak[shops], 12.0, 1.0)
    merchant = rng.choice(shops, size=count, p=weight / weight.sum()).astype(np.int32)
    terminal = merchants.pick_terminal(merchant, rng.random(count))
    length = rng.integers(*_WEEKS, size=count)
    end_day = scene.start_day + scene.days
    first = scene.start_day - length + 1 + (rng.random(count) * (scene.days + length - 1)).astype(np.int64)
    begin, finish = np.maximum(first, scene.start_day), np.minimum(first + length, end_day)
    sizes = rng.poisson(_MEAN_ROWS * (finish - begin) / length)
    episode = np.repeat(np.arange(count), sizes)
    time_us = _shop_hours(scene, begin[episode], finish[episode])
    customer = _visitors(scene, merchant[episode])
    cash = merchants.category[merchant[episode]] == CASH_MACHINE
    amount = card_amount_cny(population, customer, merchant[episode], rng) * rng.uniform(0.8, 1.4, len(episode))
    amount = np.where(cash, np.rint(amount / 100 + 0.5) * 100, amount)
    here = card_rows(
        population, time_us, customer, merchant[episode], terminal[episode], np.full(len(episode), -1, dtype=np.int32),
        np.where(cash, ATM, CARD_PRESENT), amount,
    )  # fmt: skip
    copied = rng.random(len(episode)) < 0.25
    shop = scene.online_merchants(int(copied.sum()), weak_share=0.3)
    later = time_us[copied] + rng.uniform(2 * HOUR_US, 96 * HOUR_US, len(shop)).astype(np.int64)
    abroad = card_rows(
        population, later, customer[copied], shop, merchants.pick_terminal(shop, rng.random(len(shop))), scene.strange_devices(len(shop)),
        np.full(len(shop), ECOMMERCE), card_amount_cny(population, customer[copied], shop, rng) * rng.uniform(1.0, 2.0, len(shop)),
    )  # fmt: skip
    return Transactions.concatenate([marked(here.take(~copied), _CODE, episode[~copied]), marked(abroad, _CODE, episode[copied])])


def _shop_hours(scene: Scene, begin: I64, finish: I64) -> I64:
    """Instants between two days during the opening hours of China (8 to 22 local)."""
    day = begin + (scene.rng.random(len(begin)) * (finish - begin)).astype(np.int64)
    return np.asarray(day * DAY_US + (scene.rng.triangular(0.0, 6.0, 14.0, len(begin)) * HOUR_US).astype(np.int64), dtype=np.int64)


def _visitors(scene: Scene, merchant: I32) -> I32:
    """For each row a customer who was at that merchant in the genuine days; at an empty shop, anyone."""
    order = np.argsort(scene.genuine.merchant, kind="stable")
    seen = scene.genuine.merchant[order]
    low, high = np.searchsorted(seen, merchant), np.searchsorted(seen, merchant, side="right")
    picked = order[np.minimum(low + (scene.rng.random(len(merchant)) * (high - low)).astype(np.int64), max(len(order) - 1, 0))]
    return np.where(high > low, scene.genuine.customer_id[picked], scene.victims(len(merchant))).astype(np.int32)
