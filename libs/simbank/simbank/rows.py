"""How a payment becomes a row: the columns that follow from who pays whom (currency, category, tenant, counterparty).

Genuine days and fraud typologies both build their rows here, so that neither leaves an artefact which tells them apart.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from simbank.categories import CASH_MACHINE, LOG_MEDIAN, MCC, SIGMA
from simbank.population import Population
from simbank.regions import REGION_CURRENCY, to_minor
from simbank.schema import F64, I32, I64, Transactions


def card_amount_cny(population: Population, customer: I32, merchant: I32, rng: np.random.Generator) -> F64:
    """A log-normal amount for the merchant's category, the merchant's prices and the customer's purse; cash comes in hundreds."""
    category = population.merchants.category[merchant]
    scale = population.merchants.price_scale[merchant] * np.sqrt(population.customers.amount_scale[customer])
    amount = np.exp(LOG_MEDIAN[category] + SIGMA[category] * rng.standard_normal(len(customer))) * scale
    return np.where(category == CASH_MACHINE, np.maximum(np.rint(amount / 100), 1) * 100, amount)


def transfer_amount_cny(population: Population, customer: I32, rng: np.random.Generator) -> F64:
    """A log-normal amount a person sends to another."""
    return np.asarray(350.0 * population.customers.amount_scale[customer] * rng.lognormal(0.0, 1.1, len(customer)), dtype=np.float64)


def card_rows(
    population: Population,
    time_us: I64,
    customer: I32,
    merchant: I32,
    terminal: I32,
    device: I32,
    channel: npt.NDArray[Any],
    amount_cny: F64,
) -> Transactions:
    """Card payments (present, internet or cash), genuine until `marked`; ids are given later."""
    region = population.merchants.region[merchant]
    currency = REGION_CURRENCY[region]
    return _rows(
        population, time_us, customer, device, channel,
        counterparty_id=merchant, merchant=merchant, terminal=terminal, amount_minor=to_minor(amount_cny, currency),
        currency=currency, geo=region, mcc=MCC[population.merchants.category[merchant]],
    )  # fmt: skip


def transfer_rows(
    population: Population, time_us: I64, customer: I32, payee: I32, device: I32, amount_cny: F64, geo: npt.NDArray[Any], channel: int
) -> Transactions:
    """Transfers to `payee` accounts in CNY, genuine until `marked`."""
    nothing = np.full(len(customer), -1)
    currency = np.zeros(len(customer), dtype=np.int16)
    return _rows(
        population, time_us, customer, device, np.full(len(customer), channel),
        counterparty_id=population.counterparty_of_account(payee), merchant=nothing, terminal=nothing,
        amount_minor=to_minor(amount_cny, currency), currency=currency, geo=geo, mcc=np.zeros(len(customer)),
    )  # fmt: skip


def marked(rows: Transactions, typology: int, episode: npt.NDArray[Any]) -> Transactions:
    """The same rows as fraud of `typology`."""
    return rows.replace(fraud=np.ones(len(rows)), typology=np.full(len(rows), typology), episode=episode)


def _rows(
    population: Population, time_us: I64, customer: I32, device: I32, channel: npt.NDArray[Any], **rest: npt.NDArray[Any]
) -> Transactions:
    count = len(customer)
    genuine = np.full(count, -1)
    return Transactions.of(
        transaction_id=np.zeros(count), event_time_us=time_us, customer_id=customer, account=customer, device=device, channel=channel,
        tenant=population.customers.tenant[customer], fraud=np.zeros(count), typology=genuine, episode=genuine, **rest,
    )  # fmt: skip
