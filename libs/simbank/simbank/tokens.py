"""Numbers of the simulation as the opaque tokens a bank sends: no real card or account number exists here.

Tokens mix the bank's seed with the number, so that two banks share none. Lists are made once: a token is looked up for every message.
"""

import numpy as np

from simbank.population import Population
from simbank.schema import I64

_MASK = 0xFFFF_FFFF_FFFF_FFFF


def mix64(value: int) -> int:
    """Scatter a 64-bit number reversibly (the finaliser of splitmix64, Steele et al. 2014)."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


class Tokens:
    """Tokens of every entity of a population, indexed by its number."""

    def __init__(self, population: Population) -> None:
        people, merchants = len(population.customers), population.merchants
        self.customer = _tokens("cus-", people, population.seed, 1)
        self.account = _tokens("acc-", population.accounts, population.seed, 2)
        self.card = _tokens("tok-", people, population.seed, 3)
        self.merchant = [f"M{number:014d}" for number in range(len(merchants))]  # ISO 8583 field 42: 15 characters
        self.terminal = [f"T{number:07d}" for number in range(merchants.terminal_count)]  # field 41: 8 characters
        self.device = _tokens("dev-", population.devices, population.seed, 4)
        self.acquirer = [f"62{mix64(number % 37) % 10**6:06d}" for number in range(len(merchants))]  # field 32


def uuid4_text(high: int, low: int) -> str:
    """Two 64-bit numbers as a UUIDv4 (RFC 9562): their version and variant bits are overwritten."""
    bits = ((high << 64) | low) & ~(0xF000 << 64) & ~(0xC000 << 48) | (0x4000 << 64) | (0x8000 << 48)
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _tokens(prefix: str, count: int, seed: int, kind: int) -> list[str]:
    base = mix64((seed << 8) | kind)
    numbers: I64 = np.arange(count)
    return [f"{prefix}{mix64(base ^ number):016x}" for number in numbers.tolist()]
