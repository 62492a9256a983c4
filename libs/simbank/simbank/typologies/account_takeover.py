"""Account takeover: a stranger in the customer's account sends money to mule accounts and buys goods, within hours.

Signature: a device the customer never used, payees that are new to the customer but known to others as collecting accounts, amounts
above the customer's habit but not always. In a fifth of the cases the customer's own device is remote-controlled, so the device says
nothing.
"""

import numpy as np

from simbank.rows import card_amount_cny, card_rows, marked, transfer_amount_cny, transfer_rows
from simbank.schema import ECOMMERCE, TRANSFER, TYPOLOGIES, Transactions
from simbank.typologies.episode import Scene, spread

_CODE = TYPOLOGIES.index("account_takeover")


def inject_account_takeover(scene: Scene, budget: float) -> Transactions:
    """Rows of 2 to 6 payments an episode, two thirds of them transfers."""
    rng, population = scene.rng, scene.population
    people = population.customers
    count = scene.episodes(budget, 4.0)
    sizes = rng.integers(2, 7, count)
    episode, time_us = spread(scene.instants(count), sizes, 35 * 60e6, rng)
    victim = scene.victims(count)
    remote = rng.random(count) < 0.2
    device = np.where(remote, people.devices[victim, 0], scene.strange_devices(count)).astype(np.int32)[episode]
    customer = victim[episode]
    elsewhere = np.where(rng.random(count) < 0.3, rng.integers(0, int(people.region.max()) + 1, count), people.region[victim])[episode]
    sends = rng.random(len(episode)) < 0.66
    mule = scene.mules(count)[episode]
    second = scene.mules(len(episode))
    payee = np.where(rng.random(len(episode)) < 0.25, second, mule)
    payee = np.where(payee == customer, (payee + 1) % population.accounts, payee).astype(np.int32)
    amount = transfer_amount_cny(population, customer, rng) * rng.uniform(1.0, 5.0, len(episode))
    sent = transfer_rows(
        population, time_us[sends], customer[sends], payee[sends], device[sends], amount[sends], elsewhere[sends], TRANSFER
    )
    buys = ~sends
    shop = scene.online_merchants(int(buys.sum()), weak_share=0.3)
    price = card_amount_cny(population, customer[buys], shop, rng) * rng.uniform(1.0, 4.0, len(shop))
    page = population.merchants.pick_terminal(shop, rng.random(len(shop)))
    bought = card_rows(population, time_us[buys], customer[buys], shop, page, device[buys], np.full(len(shop), ECOMMERCE), price)
    return Transactions.concatenate([marked(sent, _CODE, episode[sends]), marked(bought, _CODE, episode[buys])])
