"""Amount escalation: someone near the customer (or a patient thief) takes a little, then more, until it is noticed.

Signature: amounts that grow by half or more from one payment to the next at the same shop over days, from the customer's own device in
half of the cases. Each amount is within the shop's range; the sequence is not.
"""

import numpy as np

from simbank.categories import LOG_MEDIAN
from simbank.rows import card_rows, marked
from simbank.schema import ECOMMERCE, HOUR_US, TYPOLOGIES, Transactions
from simbank.typologies.episode import Scene, spread, step_of

_CODE = TYPOLOGIES.index("amount_escalation")


def inject_amount_escalation(scene: Scene, budget: float) -> Transactions:
    """Rows of 4 to 8 purchases an episode, each 1.4 to 2.2 times the one before."""
    rng, population = scene.rng, scene.population
    count = scene.episodes(budget, 6.0)
    sizes = rng.integers(4, 9, count)
    episode, time_us = spread(scene.instants(count), sizes, 7 * HOUR_US, rng)
    victim = scene.victims(count)
    shop = scene.online_merchants(count, weak_share=0.3)
    device = np.where(rng.random(count) < 0.5, population.customers.devices[victim, 0], scene.strange_devices(count)).astype(np.int32)
    base = np.exp(LOG_MEDIAN[population.merchants.category[shop]]) * rng.uniform(0.2, 0.6, count)
    growth = rng.uniform(1.4, 2.2, count)
    amount = base[episode] * growth[episode] ** step_of(sizes) * rng.uniform(0.95, 1.05, len(episode))
    terminal = population.merchants.pick_terminal(shop, rng.random(count))
    rows = card_rows(
        population, time_us, victim[episode], shop[episode], terminal[episode], device[episode], np.full(len(episode), ECOMMERCE), amount
    )
    return marked(rows, _CODE, episode)
