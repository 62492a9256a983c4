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
    Region("CN-BJ", "北京", country="CN", utc_offset_minutes=480, latitude=39.90, longitude=116.41, currency="CNY", weight=9.0),
    Region("CN-SH", "上海", country="CN", utc_offset_minutes=480, latitude=31.23, longitude=121.47, currency="CNY", weight=10.0),
    Region("CN-GD", "广东 广州", country="CN", utc_offset_minutes=480, latitude=23.13, longitude=113.26, currency="CNY", weight=8.0),
    Region("CN-GD-SZ", "广东 深圳", country="CN", utc_offset_minutes=480, latitude=22.54, longitude=114.06, currency="CNY", weight=8.0),
    Region("CN-ZJ", "浙江 杭州", country="CN", utc_offset_minutes=480, latitude=30.27, longitude=120.16, currency="CNY", weight=7.0),
    Region("CN-JS", "江苏 南京", country="CN", utc_offset_minutes=480, latitude=32.06, longitude=118.80, currency="CNY", weight=6.0),
    Region("CN-SC", "四川 成都", country="CN", utc_offset_minutes=480, latitude=30.57, longitude=104.07, currency="CNY", weight=6.0),
    Region("CN-CQ", "重庆", country="CN", utc_offset_minutes=480, latitude=29.56, longitude=106.55, currency="CNY", weight=5.0),
    Region("CN-HB", "湖北 武汉", country="CN", utc_offset_minutes=480, latitude=30.59, longitude=114.31, currency="CNY", weight=5.0),
    Region("CN-SN", "陕西 西安", country="CN", utc_offset_minutes=480, latitude=34.34, longitude=108.94, currency="CNY", weight=4.0),
    Region("CN-SD", "山东 青岛", country="CN", utc_offset_minutes=480, latitude=36.07, longitude=120.38, currency="CNY", weight=5.0),
    Region("CN-FJ", "福建 厦门", country="CN", utc_offset_minutes=480, latitude=24.48, longitude=118.09, currency="CNY", weight=3.0),
    Region("CN-LN", "辽宁 沈阳", country="CN", utc_offset_minutes=480, latitude=41.81, longitude=123.43, currency="CNY", weight=3.0),
    Region("CN-HN", "湖南 长沙", country="CN", utc_offset_minutes=480, latitude=28.23, longitude=112.94, currency="CNY", weight=4.0),
    Region("CN-YN", "云南 昆明", country="CN", utc_offset_minutes=480, latitude=25.04, longitude=102.71, currency="CNY", weight=2.0),
    Region("CN-XJ", "新疆 乌鲁木齐", country="CN", utc_offset_minutes=360, latitude=43.83, longitude=87.62, currency="CNY", weight=1.0),
    Region("HK", "香港", country="HK", utc_offset_minutes=480, latitude=22.32, longitude=114.17, currency="HKD", weight=3.0),
    Region("SG", "新加坡", country="SG", utc_offset_minutes=480, latitude=1.35, longitude=103.82, currency="SGD", weight=1.5),
    Region("JP-13", "東京", country="JP", utc_offset_minutes=540, latitude=35.68, longitude=139.69, currency="JPY", weight=1.0),
    Region("GB-LND", "London", country="GB", utc_offset_minutes=0, latitude=51.51, longitude=-0.13, currency="GBP", weight=1.0),
    Region("FR-75", "Paris", country="FR", utc_offset_minutes=60, latitude=48.86, longitude=2.35, currency="EUR", weight=0.8),
    Region("DE-HE", "Frankfurt am Main", country="DE", utc_offset_minutes=60, latitude=50.11, longitude=8.68, currency="EUR", weight=0.7),
    Region("US-NY", "New York", country="US", utc_offset_minutes=-300, latitude=40.71, longitude=-74.01, currency="USD", weight=1.0),
    Region("US-CA", "San Francisco", country="US", utc_offset_minutes=-480, latitude=37.77, longitude=-122.42, currency="USD", weight=1.0),
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
