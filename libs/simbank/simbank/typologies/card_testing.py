"""Card testing: a ring tries stolen cards with small amounts at shops without checks, then spends on the cards that work.

Signature: several customers on one device and merchant within minutes, tiny amounts, then larger purchases on some of them. Genuine small
digital purchases and borrowed devices look the same one by one.
"""

import numpy as np

from simbank.rows import card_amount_cny, card_rows, marked
from simbank.schema import ECOMMERCE, HOUR_US, TYPOLOGIES, Transactions
from simbank.typologies.episode import Scene, spread

_CODE = TYPOLOGIES.index("card_testing")


def inject_card_testing(scene: Scene, budget: float) -> Transactions:
    """Rows of 4 to 12 tested cards an episode, a third of which are cashed out."""
    rng, population = scene.rng, scene.population
    count = scene.episodes(budget, 10.6)
    sizes = rng.integers(4, 13, count)
    episode, time_us = spread(scene.instants(count), sizes, 90e6, rng)
    customer, device = scene.victims(len(episode)), scene.strange_devices(count)
    merchant = scene.online_merchants(count, weak_share=0.6)[episode]
    terminal = population.merchants.pick_terminal(merchant, np.zeros(len(merchant)))
    online = np.full(len(episode), ECOMMERCE)
    tests = card_rows(population, time_us, customer, merchant, terminal, device[episode], online, rng.uniform(1.0, 18.0, len(episode)))
    works = rng.random(len(episode)) < 0.33
    spent = int(works.sum())
    shop = scene.online_merchants(spent, weak_share=0.35)
    later = time_us[works] + rng.uniform(0.1 * HOUR_US, 30 * HOUR_US, spent).astype(np.int64)
    amount = card_amount_cny(population, customer[works], shop, rng) * rng.uniform(0.8, 4.0, spent)
    goods = population.merchants.pick_terminal(shop, rng.random(spent))
    cashed = card_rows(population, later, customer[works], shop, goods, device[episode[works]], online[works], amount)
    return Transactions.concatenate([marked(tests, _CODE, episode), marked(cashed, _CODE, episode[works])])
