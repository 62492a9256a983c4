"""Mule accounts: scam victims pay into one account (fan-in), which passes the money on (fan-out), sometimes back to where it began (a
cycle).

Signature: many distinct payers on one account within a day, then quick transfers onward and, in two fifths of the episodes, a return
within four hops. Victims pay with their own devices and ordinary amounts: a single payment in looks like any transfer to a new payee.
"""

import numpy as np

from simbank.rows import marked, transfer_amount_cny, transfer_rows
from simbank.schema import F64, HOUR_US, I32, I64, TRANSFER, TYPOLOGIES, Transactions
from simbank.typologies.episode import Scene, spread

_CODE = TYPOLOGIES.index("mule_fan")
_RETURNS = 0.4


def inject_mule_fan(scene: Scene, budget: float) -> Transactions:
    """Rows of 4 to 10 payments in, 2 to 4 onward and up to 3 more hops an episode."""
    rng, population = scene.rng, scene.population
    people = population.customers
    count = scene.episodes(budget, 11.6)
    collector = scene.mules(count)
    sizes_in = rng.integers(4, 11, count)
    episode, time_us = spread(scene.instants(count), sizes_in, 2.0 * HOUR_US, rng)
    victim = _other(scene.victims(len(episode)), collector[episode], len(people))
    taken = transfer_amount_cny(population, victim, rng) * rng.uniform(0.8, 3.0, len(episode))
    parts = [_sent(scene, episode, time_us, victim, collector[episode], taken)]
    total = np.bincount(episode, weights=taken, minlength=count)
    last = np.zeros(count, dtype=np.int64)
    np.maximum.at(last, episode, time_us)
    sizes_out = rng.integers(2, 5, count)
    onward, out_us = spread(last, sizes_out, 1.5 * HOUR_US, rng)
    receiver = _other(scene.mules(len(onward)), collector[onward], len(people))
    share = total[onward] * 0.92 / sizes_out[onward] * rng.uniform(0.7, 1.1, len(onward))
    parts.append(_sent(scene, onward, out_us, collector[onward], receiver, share))
    parts.extend(_returns(scene, onward, out_us, receiver, collector, share))
    return Transactions.concatenate(parts)


def _returns(scene: Scene, onward: I64, out_us: I64, receiver: I32, origin: I32, share: F64) -> list[Transactions]:
    """Close a cycle in some episodes: the first receiver passes on to another mule, which pays the collector."""
    rng, people = scene.rng, len(scene.population.customers)
    first = np.unique(onward, return_index=True)[1]
    first = first[rng.random(len(first)) < _RETURNS]
    episode, hop = onward[first], receiver[first]
    middle = _other(_other(scene.mules(len(first)), hop, people), origin[episode], people)
    hop_us = out_us[first] + rng.uniform(0.2 * HOUR_US, 6 * HOUR_US, len(first)).astype(np.int64)
    back_us = hop_us + rng.uniform(0.2 * HOUR_US, 6 * HOUR_US, len(first)).astype(np.int64)
    return [
        _sent(scene, episode, hop_us, hop, middle, share[first] * 0.97),
        _sent(scene, episode, back_us, middle, origin[episode], share[first] * 0.94),
    ]


def _sent(scene: Scene, episode: I64, time_us: I64, customer: I32, payee: I32, amount: F64) -> Transactions:
    people = scene.population.customers
    region, device = people.region[customer], people.devices[customer, 0]
    return marked(transfer_rows(scene.population, time_us, customer, payee, device, amount, region, TRANSFER), _CODE, episode)


def _other(account: I32, taken: I32, people: int) -> I32:
    """`account`, moved to the neighbour where it equals `taken`."""
    return np.where(account == taken, (account + 1) % people, account).astype(np.int32)
