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
    Category(5411, "grocery", 85.0, 0.70, 0.15, 20.0),
    Category(5812, "restaurant", 70.0, 0.65, 0.10, 18.0),
    Category(4111, "transport", 9.0, 0.60, 0.20, 12.0),
    Category(5541, "fuel", 320.0, 0.35, 0.00, 6.0),
    Category(5912, "pharmacy", 60.0, 0.70, 0.20, 6.0),
    Category(5651, "clothing", 260.0, 0.80, 0.45, 7.0),
    Category(5732, "electronics", 900.0, 1.00, 0.50, 4.0),
    Category(5816, "digital goods", 22.0, 0.90, 1.00, 9.0),
    Category(5999, "general goods", 120.0, 0.90, 0.70, 10.0),
    Category(4722, "travel agency", 1500.0, 0.90, 0.80, 2.0),
    Category(7011, "hotel", 620.0, 0.60, 0.30, 2.0),
    Category(5944, "jewellery", 1800.0, 1.10, 0.20, 1.0),
    Category(4900, "utilities", 180.0, 0.50, 0.80, 3.0),
    Category(6011, "cash machine", 800.0, 0.70, 0.00, 5.0),
)

CASH_MACHINE = next(i for i, category in enumerate(CATEGORIES) if category.mcc == 6011)
MCC: I16 = np.array([category.mcc for category in CATEGORIES], dtype=np.int16)
LOG_MEDIAN: F64 = np.log([category.median_cny for category in CATEGORIES])
SIGMA: F64 = np.array([category.sigma for category in CATEGORIES])
ONLINE: F64 = np.array([category.online for category in CATEGORIES])
WEIGHT: F64 = np.array([category.weight for category in CATEGORIES])
