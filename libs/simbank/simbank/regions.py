"""Where customers and merchants are: Chinese provinces and cities, and places abroad.

Surprising: offsets are the standard ones, without daylight saving, so that a seed gives the same bytes whatever time-zone data a
machine has. Exchange rates are fixed too (CNY for one major unit): the bank compares amounts in one currency under a rate version of
its own.
"""

from dataclasses import dataclass

import numpy as np

from simbank.schema import F64, I16, I64


@dataclass(frozen=True)
class Region:
    """`code` is ISO 3166-2 (or 3166-1 abroad), `utc_offset_minutes` the standard offset, `weight` the share of customers living there."""

    code: str
    name: str
    country: str
    utc_offset_minutes: int
    latitude: float
    longitude: float
    currency: str
    weight: float


REGIONS: tuple[Region, ...] = (
    Region("CN-BJ", "北京", "CN", 480, 39.90, 116.41, "CNY", 9.0),
    Region("CN-SH", "上海", "CN", 480, 31.23, 121.47, "CNY", 10.0),
    Region("CN-GD", "广东 广州", "CN", 480, 23.13, 113.26, "CNY", 8.0),
    Region("CN-GD-SZ", "广东 深圳", "CN", 480, 22.54, 114.06, "CNY", 8.0),
    Region("CN-ZJ", "浙江 杭州", "CN", 480, 30.27, 120.16, "CNY", 7.0),
    Region("CN-JS", "江苏 南京", "CN", 480, 32.06, 118.80, "CNY", 6.0),
    Region("CN-SC", "四川 成都", "CN", 480, 30.57, 104.07, "CNY", 6.0),
    Region("CN-CQ", "重庆", "CN", 480, 29.56, 106.55, "CNY", 5.0),
    Region("CN-HB", "湖北 武汉", "CN", 480, 30.59, 114.31, "CNY", 5.0),
    Region("CN-SN", "陕西 西安", "CN", 480, 34.34, 108.94, "CNY", 4.0),
    Region("CN-SD", "山东 青岛", "CN", 480, 36.07, 120.38, "CNY", 5.0),
    Region("CN-FJ", "福建 厦门", "CN", 480, 24.48, 118.09, "CNY", 3.0),
    Region("CN-LN", "辽宁 沈阳", "CN", 480, 41.81, 123.43, "CNY", 3.0),
    Region("CN-HN", "湖南 长沙", "CN", 480, 28.23, 112.94, "CNY", 4.0),
    Region("CN-YN", "云南 昆明", "CN", 480, 25.04, 102.71, "CNY", 2.0),
    Region("CN-XJ", "新疆 乌鲁木齐", "CN", 360, 43.83, 87.62, "CNY", 1.0),
    Region("HK", "香港", "HK", 480, 22.32, 114.17, "HKD", 3.0),
    Region("SG", "新加坡", "SG", 480, 1.35, 103.82, "SGD", 1.5),
    Region("JP-13", "東京", "JP", 540, 35.68, 139.69, "JPY", 1.0),
    Region("GB-LND", "London", "GB", 0, 51.51, -0.13, "GBP", 1.0),
    Region("FR-75", "Paris", "FR", 60, 48.86, 2.35, "EUR", 0.8),
    Region("DE-HE", "Frankfurt am Main", "DE", 60, 50.11, 8.68, "EUR", 0.7),
    Region("US-NY", "New York", "US", -300, 40.71, -74.01, "USD", 1.0),
    Region("US-CA", "San Francisco", "US", -480, 37.77, -122.42, "USD", 1.0),
)

CURRENCIES: tuple[str, ...] = ("CNY", "HKD", "SGD", "JPY", "GBP", "EUR", "USD")
CNY_PER_MAJOR = np.array([1.0, 0.92, 5.4, 0.048, 9.2, 7.8, 7.2])  # (currency,) fixed rates of the simulation
MINOR_DIGITS = np.array([2, 2, 2, 0, 2, 2, 2])  # (currency,) ISO 4217 exponents

REGION_WEIGHT: F64 = np.array([region.weight for region in REGIONS]) / sum(region.weight for region in REGIONS)
REGION_OFFSET_US: I64 = np.array([region.utc_offset_minutes * 60_000_000 for region in REGIONS], dtype=np.int64)
REGION_CURRENCY: I16 = np.array([CURRENCIES.index(region.currency) for region in REGIONS], dtype=np.int16)
REGION_POSITION: F64 = np.array([(region.latitude, region.longitude) for region in REGIONS])  # (region, 2) degrees


def to_minor(cny: F64, currency: I16) -> I64:
    """Turn amounts in CNY (major units) into integer minor units of each row's currency, at least 1."""
    units = cny / CNY_PER_MAJOR[currency] * 10.0 ** MINOR_DIGITS[currency]
    return np.asarray(np.maximum(np.rint(units), 1), dtype=np.int64)
