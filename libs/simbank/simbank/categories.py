"""Merchant categories (ISO 18245 codes) with the amounts people spend there.

`median_cny` and `sigma` are those of a log-normal amount; `online` is the share of such merchants that sell over the internet; `weight`
is how often people go. The heavy tails are meant: a large genuine purchase is common enough that an amount alone convicts nobody.
"""

from dataclasses import dataclass

import numpy as np

from simbank.schema import F64, I16


@dataclass(frozen=True)
class Category:
    """One merchant category of the simulation."""

    mcc: int
    name: str
    median_cny: float
    sigma: float
    online: float
    weight: float


CATEGORIES: tuple[Category, ...] = (
    Category(5411, "grocery", median_cny=85.0, sigma=0.70, online=0.15, weight=20.0),
    Category(5812, "restaurant", median_cny=70.0, sigma=0.65, online=0.10, weight=18.0),
    Category(4111, "transport", median_cny=9.0, sigma=0.60, online=0.20, weight=12.0),
    Category(5541, "fuel", median_cny=320.0, sigma=0.35, online=0.00, weight=6.0),
    Category(5912, "pharmacy", median_cny=60.0, sigma=0.70, online=0.20, weight=6.0),
    Category(5651, "clothing", median_cny=260.0, sigma=0.80, online=0.45, weight=7.0),
    Category(5732, "electronics", median_cny=900.0, sigma=1.00, online=0.50, weight=4.0),
    Category(5816, "digital goods", median_cny=22.0, sigma=0.90, online=1.00, weight=9.0),
    Category(5999, "general goods", median_cny=120.0, sigma=0.90, online=0.70, weight=10.0),
    Category(4722, "travel agency", median_cny=1500.0, sigma=0.90, online=0.80, weight=2.0),
    Category(7011, "hotel", median_cny=620.0, sigma=0.60, online=0.30, weight=2.0),
    Category(5944, "jewellery", median_cny=1800.0, sigma=1.10, online=0.20, weight=1.0),
    Category(4900, "utilities", median_cny=180.0, sigma=0.50, online=0.80, weight=3.0),
    Category(6011, "cash machine", median_cny=800.0, sigma=0.70, online=0.00, weight=5.0),
)

CASH_MACHINE = next(i for i, category in enumerate(CATEGORIES) if category.mcc == 6011)
MCC: I16 = np.array([category.mcc for category in CATEGORIES], dtype=np.int16)
LOG_MEDIAN: F64 = np.log([category.median_cny for category in CATEGORIES])
SIGMA: F64 = np.array([category.sigma for category in CATEGORIES])
ONLINE: F64 = np.array([category.online for category in CATEGORIES])
WEIGHT: F64 = np.array([category.weight for category in CATEGORIES])
